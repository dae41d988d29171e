import { InvalidArgumentError } from '@bbdistill/common/base';
import { paddingOf, pairOf, stridesOf } from '../engine.js';
import type { Activation, LayerSpec, NetworkSpec, WeightTensor } from '../engine.js';
import { ATTRIBUTE_INT, ATTRIBUTE_INTS, DATA_TYPE_FLOAT, encodeOnnxModel } from './onnx-schema.js';
import type { OnnxAttribute, OnnxNode, OnnxTensor, OnnxValueInfo } from './onnx-schema.js';
import { weightNamed } from './weights.js';

export const ONNX_INPUT = 'images';
export const ONNX_OUTPUT = 'probabilities';
const OPSET = 13;
const IR_VERSION = 7;

/**
 * The network as an ONNX model: `images` float32 [N,H,W,C] of 0..1 in, `probabilities` [N,K] out.
 * @param network its last layer gives logits; the exported graph ends in a softmax
 */
export function encodeOnnx(network: NetworkSpec, weights: readonly WeightTensor[]): Uint8Array {
  const graph = new GraphBuilder(weights);
  // ONNX convolutions know only channels-first; the flattening order must stay channels-last, as trained.
  graph.add('to-nchw', 'Transpose', [], [ints('perm', [0, 3, 1, 2])]);
  for (const layer of network.layers) addLayer(graph, layer);
  graph.add(ONNX_OUTPUT, 'Softmax', [], [int('axis', -1)]);
  const { height, width, channels } = network.input;
  return encodeOnnxModel({
    irVersion: IR_VERSION,
    producerName: 'blackbox-distill',
    opsetImport: [{ domain: '', version: OPSET }],
    metadataProps: [{ key: 'input', value: 'NHWC, pixel / 255' }],
    graph: {
      name: network.name,
      node: graph.nodes,
      initializer: graph.initializers,
      input: [valueInfo(ONNX_INPUT, [height, width, channels])],
      output: [valueInfo(ONNX_OUTPUT, [network.classes])],
    },
  });
}

class GraphBuilder {
  readonly nodes: OnnxNode[] = [];
  readonly initializers: OnnxTensor[] = [];
  #last = ONNX_INPUT;

  constructor(private readonly weights: readonly WeightTensor[]) {}

  /** A node that takes what the last one gave. */
  add(name: string, opType: string, constants: string[], attribute: OnnxAttribute[]): void {
    this.nodes.push({ name, opType, input: [this.#last, ...constants], output: [name], attribute });
    this.#last = name;
  }

  /** A weight as a constant, its values in the order that `reorder` gives them. */
  constant(name: string, reorder: (weight: WeightTensor) => { dims: readonly number[]; data: Float32Array }): string {
    const { dims, data } = reorder(weightNamed(this.weights, name));
    this.initializers.push({ name, dims, dataType: DATA_TYPE_FLOAT, rawData: littleEndian(data) });
    return name;
  }
}

function addLayer(graph: GraphBuilder, layer: LayerSpec): void {
  switch (layer.kind) {
    case 'conv2d': {
      const [edge] = pairOf(layer.kernelSize);
      const [before, after] = paddingOf(layer.padding, edge, edge, 1);
      const kernel = graph.constant(`${layer.name}/kernel`, outputsFirst);
      const bias = graph.constant(`${layer.name}/bias`, asStored);
      graph.add(
        layer.name,
        'Conv',
        [kernel, bias],
        [ints('kernel_shape', [edge, edge]), ints('pads', [before, before, after, after])],
      );
      addActivation(graph, layer.name, layer.activation);
      return;
    }
    case 'max-pool2d':
      graph.add(
        layer.name,
        'MaxPool',
        [],
        [ints('kernel_shape', [...pairOf(layer.poolSize)]), ints('strides', [...stridesOf(layer)])],
      );
      return;
    case 'flatten':
      graph.add(`${layer.name}/to-nhwc`, 'Transpose', [], [ints('perm', [0, 2, 3, 1])]);
      graph.add(layer.name, 'Flatten', [], [int('axis', 1)]);
      return;
    case 'dense': {
      const kernel = graph.constant(`${layer.name}/kernel`, asStored);
      const bias = graph.constant(`${layer.name}/bias`, asStored);
      graph.add(layer.name, 'Gemm', [kernel, bias], []);
      addActivation(graph, layer.name, layer.activation);
      return;
    }
    default:
      throw new InvalidArgumentError(`layer ${layer.name}: ${layer.kind} can't be exported to ONNX yet`);
  }
}

function addActivation(graph: GraphBuilder, layer: string, activation: Activation): void {
  if (activation === 'relu') graph.add(`${layer}/relu`, 'Relu', [], []);
  if (activation === 'sigmoid') graph.add(`${layer}/sigmoid`, 'Sigmoid', [], []);
}

function asStored({ shape, data }: WeightTensor) {
  return { dims: shape, data };
}

/** [kh,kw,in,out] → [out,in,kh,kw] */
function outputsFirst({ shape, data }: WeightTensor) {
  const [rows, columns, inputs, outputs] = shape as [number, number, number, number];
  const moved = new Float32Array(data.length);
  let at = 0;
  for (let o = 0; o < outputs; o++) {
    for (let i = 0; i < inputs; i++) {
      for (let p = 0; p < rows * columns; p++) moved[at++] = data[(p * inputs + i) * outputs + o]!;
    }
  }
  return { dims: [outputs, inputs, rows, columns], data: moved };
}

function int(name: string, value: number): OnnxAttribute {
  return { name, type: ATTRIBUTE_INT, i: value };
}

function ints(name: string, values: number[]): OnnxAttribute {
  return { name, type: ATTRIBUTE_INTS, ints: values };
}

function valueInfo(name: string, sizes: number[]): OnnxValueInfo {
  const dim = [{ dimParam: 'N' }, ...sizes.map((dimValue) => ({ dimValue }))];
  return { name, type: { tensorType: { elemType: DATA_TYPE_FLOAT, shape: { dim } } } };
}

function littleEndian(data: Float32Array): Uint8Array {
  const view = new DataView(new ArrayBuffer(data.length * 4));
  data.forEach((value, at) => view.setFloat32(at * 4, value, true));
  return new Uint8Array(view.buffer);
}
