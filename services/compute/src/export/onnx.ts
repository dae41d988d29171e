import type { Activation, NetworkSpec, WeightTensor } from '../engine.js';
import { DEFAULT_BATCH_NORM_EPSILON, IMAGE_INPUT, paddingOf, pairOf, stridesOf } from '../layers.js';
import type { Conv2dSpec, Conv2dTransposeSpec, PoolSpec } from '../layers.js';
import { shapedLayers } from '../network-shapes.js';
import type { ShapedLayer } from '../network-shapes.js';
import { freeName } from './free-name.js';
import {
  ATTRIBUTE_FLOAT,
  ATTRIBUTE_INT,
  ATTRIBUTE_INTS,
  DATA_TYPE_FLOAT,
  DATA_TYPE_INT64,
  encodeOnnxModel,
} from './onnx-schema.js';
import type { OnnxAttribute, OnnxNode, OnnxTensor, OnnxValueInfo } from './onnx-schema.js';
import { weightNamed } from './weights.js';

export const ONNX_INPUT = 'images';
export const ONNX_OUTPUT = 'probabilities';
const OPSET = 13;
const IR_VERSION = 7;
const TO_NCHW = [0, 3, 1, 2];
const TO_NHWC = [0, 2, 3, 1];

/**
 * The network as an ONNX model: `images` float32 [N,H,W,C] of 0..1 in, `probabilities` [N,K] out.
 * @param network its last layer gives logits; the exported graph ends in a softmax
 * @throws DataLossError where a tensor is missing
 */
export function encodeOnnx(network: NetworkSpec, weights: readonly WeightTensor[]): Uint8Array {
  const graph = new GraphBuilder(weights);
  // ONNX convolutions know only channels-first; the flattening order must stay channels-last, as trained.
  graph.give(IMAGE_INPUT, graph.add('to-nchw', 'Transpose', [ONNX_INPUT], [ints('perm', TO_NCHW)]));
  const layers = shapedLayers(network);
  for (const layer of layers) graph.give(layer.spec.name, addLayer(graph, layer));
  graph.addOutput('Softmax', [graph.valueOf(layers.at(-1)?.spec.name ?? IMAGE_INPUT)], [int('axis', -1)]);
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

/** Images are channels-first inside the graph, flat values [N,K]. */
class GraphBuilder {
  readonly nodes: OnnxNode[] = [];
  readonly initializers: OnnxTensor[] = [];
  /** What each layer gives, by the layer's name. */
  readonly #values = new Map<string, string>();
  /** A user may call a layer what we call a node of ours, and ONNX Runtime refuses a model with a name twice. */
  readonly #taken = new Set<string>([ONNX_INPUT, ONNX_OUTPUT]);

  constructor(private readonly weights: readonly WeightTensor[]) {}

  /** @returns the name of what the node gives: `wanted`, or one made of it where that is taken */
  add(wanted: string, opType: string, input: string[], attribute: OnnxAttribute[] = []): string {
    const name = this.#take(wanted);
    this.nodes.push({ name, opType, input, output: [name], attribute });
    return name;
  }

  /** The node that gives what the whole model does. */
  addOutput(opType: string, input: string[], attribute: OnnxAttribute[]): void {
    this.nodes.push({ name: ONNX_OUTPUT, opType, input, output: [ONNX_OUTPUT], attribute });
  }

  give(layer: string, value: string): void {
    this.#values.set(layer, value);
  }

  valueOf(layer: string): string {
    return this.#values.get(layer) ?? layer;
  }

  /** A weight as a constant, its values in the order that `reorder` gives them. */
  constant(tensor: string, reorder: (weight: WeightTensor) => { dims: readonly number[]; data: Float32Array }): string {
    const { dims, data } = reorder(weightNamed(this.weights, tensor));
    const name = this.#take(tensor);
    this.initializers.push({ name, dims, dataType: DATA_TYPE_FLOAT, rawData: littleEndian(data) });
    return name;
  }

  shape(wanted: string, sizes: readonly number[]): string {
    const name = this.#take(wanted);
    const view = new DataView(new ArrayBuffer(sizes.length * 8));
    sizes.forEach((size, at) => view.setBigInt64(at * 8, BigInt(size), true));
    const rawData = new Uint8Array(view.buffer);
    this.initializers.push({ name, dims: [sizes.length], dataType: DATA_TYPE_INT64, rawData });
    return name;
  }

  #take(wanted: string): string {
    const name = freeName(wanted, this.#taken);
    this.#taken.add(name);
    return name;
  }
}

/** @returns the name of the layer's value */
function addLayer(graph: GraphBuilder, layer: ShapedLayer): string {
  const { spec, input, output } = layer;
  const { name } = spec;
  const inputs = layer.inputNames.map((from) => graph.valueOf(from));
  const [x] = inputs as [string];
  const bias = (useBias = true) => (useBias ? [graph.constant(`${name}/bias`, asStored)] : []);
  switch (spec.kind) {
    case 'conv2d': {
      const kernel = graph.constant(`${name}/kernel`, outputsFirst);
      const attributes = [
        ...windowAttributes(spec, pairOf(spec.kernelSize)),
        pads(spec, pairOf(spec.kernelSize), input),
      ];
      return activated(
        graph,
        name,
        spec.activation,
        graph.add(name, 'Conv', [x, kernel, ...bias(spec.useBias)], attributes),
      );
    }
    case 'conv2d-transpose': {
      const kernel = graph.constant(`${name}/kernel`, outputsFirst);
      const size = pairOf(spec.kernelSize);
      const strides = stridesOf(spec);
      // Where the windows leave gaps, Keras appends the last of them.
      const gap = ints('output_padding', [Math.max(strides[0] - size[0], 0), Math.max(strides[1] - size[1], 0)]);
      const attributes = [...windowAttributes(spec, size), pads(spec, size, output), gap];
      return activated(
        graph,
        name,
        spec.activation,
        graph.add(name, 'ConvTranspose', [x, kernel, ...bias(spec.useBias)], attributes),
      );
    }
    case 'max-pool2d':
    case 'average-pool2d': {
      const size = pairOf(spec.poolSize);
      const opType = spec.kind === 'max-pool2d' ? 'MaxPool' : 'AveragePool';
      return graph.add(name, opType, [x], [...windowAttributes(spec, size), pads(spec, size, input)]);
    }
    case 'global-average-pool2d':
      return graph.add(name, 'Flatten', [graph.add(`${name}/mean`, 'GlobalAveragePool', [x])], [int('axis', 1)]);
    case 'flatten': {
      if (layer.inputsAreFlat) return x;
      const last = graph.add(`${name}/to-nhwc`, 'Transpose', [x], [ints('perm', TO_NHWC)]);
      return graph.add(name, 'Flatten', [last], [int('axis', 1)]);
    }
    case 'reshape': {
      const flat = layer.inputsAreFlat ? x : graph.add(`${name}/to-nhwc`, 'Transpose', [x], [ints('perm', TO_NHWC)]);
      const shape = graph.shape(`${name}/shape`, [-1, output.height, output.width, output.channels]);
      const image = graph.add(`${name}/reshaped`, 'Reshape', [flat, shape]);
      return graph.add(name, 'Transpose', [image], [ints('perm', TO_NCHW)]);
    }
    case 'dense': {
      const kernel = graph.constant(`${name}/kernel`, asStored);
      return activated(graph, name, spec.activation, graph.add(name, 'Gemm', [x, kernel, ...bias(spec.useBias)]));
    }
    case 'batch-norm': {
      const tensors = ['gamma', 'beta', 'moving_mean', 'moving_variance'].map((tensor) =>
        graph.constant(`${name}/${tensor}`, asStored),
      );
      const epsilon = { name: 'epsilon', type: ATTRIBUTE_FLOAT, f: spec.epsilon ?? DEFAULT_BATCH_NORM_EPSILON };
      return graph.add(name, 'BatchNormalization', [x, ...tensors], [epsilon]);
    }
    case 'dropout':
      return x;
    case 'activation':
      if (spec.activation === 'softmax') return graph.add(name, 'Softmax', [x], [int('axis', 1)]);
      return graph.add(name, spec.activation === 'relu' ? 'Relu' : 'Sigmoid', [x]);
    case 'add':
      return inputs
        .slice(1)
        .reduce(
          (sum, other, at) => graph.add(at === inputs.length - 2 ? name : `${name}/${at}`, 'Add', [sum, other]),
          x,
        );
    case 'concat':
      return graph.add(name, 'Concat', inputs, [int('axis', 1)]);
  }
}

function activated(graph: GraphBuilder, layer: string, activation: Activation, value: string): string {
  if (activation === 'relu') return graph.add(`${layer}/relu`, 'Relu', [value]);
  if (activation === 'sigmoid') return graph.add(`${layer}/sigmoid`, 'Sigmoid', [value]);
  return value;
}

function windowAttributes(spec: Conv2dSpec | Conv2dTransposeSpec | PoolSpec, size: readonly [number, number]) {
  return [ints('kernel_shape', [...size]), ints('strides', [...stridesOf(spec)])];
}

/** @param large the side that the windows lie over */
function pads(
  spec: Conv2dSpec | Conv2dTransposeSpec | PoolSpec,
  size: readonly [number, number],
  large: { height: number; width: number },
): OnnxAttribute {
  const [strideY, strideX] = stridesOf(spec);
  const [top, bottom] = paddingOf(spec.padding ?? 'valid', large.height, size[0], strideY);
  const [left, right] = paddingOf(spec.padding ?? 'valid', large.width, size[1], strideX);
  return ints('pads', [top, left, bottom, right]);
}

function asStored({ shape, data }: WeightTensor) {
  return { dims: shape, data };
}

/** [kh,kw,in,out] → [out,in,kh,kw]; of a transposed convolution [kh,kw,out,in] → [in,out,kh,kw] */
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
