import { InvalidArgumentError } from '@bbdistill/common/base';
import type { ImageShape } from '@bbdistill/common/base';
import type { NetworkSpec } from '../engine.js';
import { IMAGE_INPUT } from '../layers.js';
import type { LayerSpec } from '../layers.js';
import { graphOf, shapedGraph } from '../network-shapes.js';
import type { ShapedLayer } from '../network-shapes.js';
import { KerasConfig, recordOf, shown } from './keras-config.js';
import { convertLayer } from './keras-layers.js';

/** Of the JSON of a topology: hundreds of layers, and small beside what a message may hold. */
export const MAX_TOPOLOGY_BYTES = 128 * 1024;
const MAX_NAME_LENGTH = 100;

/** A layer with the names of those that feed it. */
interface KerasNode {
  config: KerasConfig;
  inputs: readonly string[];
}

interface KerasModel {
  name: string;
  nodes: ReadonlyMap<string, KerasNode>;
  input: KerasNode;
  output: string;
}

/**
 * The topology alone, as compact JSON, of what a user has: a tfjs `model.json`, what Keras' converter wrote into one, or
 * the JSON of `model.toJSON()`. Weights are left behind: a student is trained from fresh ones.
 * @throws InvalidArgumentError
 */
export function topologyOf(modelJson: string): string {
  const document = recordOf(parsed(modelJson));
  const topology = recordOf(document?.['modelTopology']) ?? document;
  const model = recordOf(topology?.['model_config']) ?? topology;
  const { class_name: className, config } = model ?? {};
  if (typeof className !== 'string' || config === undefined) {
    throw wrong('it has neither class_name and config nor a modelTopology with them; is it a tfjs LayersModel?');
  }
  const text = JSON.stringify({ class_name: className, config });
  requireSize(text);
  return text;
}

/**
 * The network of a user's topology. Its last softmax is left out, as the loss takes logits.
 * @param json a Keras Sequential or functional model of one image input and one output, as `topologyOf` gives it
 * @throws TopologyLayerError naming the layer and its class where the engines can't do it
 * @throws InvalidArgumentError
 */
export function networkFromTopology(json: string): NetworkSpec {
  requireSize(json);
  const model = modelOf(recordOf(parsed(topologyOf(json))) ?? {});
  const layers: LayerSpec[] = [];
  /** By a layer of Keras: whose value is its value here. */
  const valueOf = new Map<string, string>();
  const axes: { config: KerasConfig; axis: number; of: string }[] = [];
  const visiting = new Set<string>();
  const visit = (name: string): void => {
    if (valueOf.has(name)) return;
    const node = model.nodes.get(name);
    if (!node) throw wrong(`there is no layer '${name}', which another one names as its input`);
    const { config } = node;
    if (visiting.has(name)) throw config.wrong('it feeds itself');
    visiting.add(name);
    node.inputs.forEach(visit);
    const inputs =
      node === model.input && node.inputs.length === 0 ? [IMAGE_INPUT] : node.inputs.map((from) => valueOf.get(from)!);
    const { spec, hasSoftmax = false, axis } = convertLayer(config);
    if (!spec && inputs.length !== 1) throw config.wrong(`it takes one input, not ${inputs.length}`);
    let value = inputs[0]!;
    const add = (layer: LayerSpec, from: readonly string[]) => {
      layers.push({ ...layer, inputs: from });
      value = layer.name;
    };
    if (spec) add(spec, inputs);
    if (hasSoftmax && name !== model.output) {
      const softmax = spec ? `${name}/softmax` : name;
      add({ kind: 'activation', name: softmax, activation: 'softmax' }, [value]);
    }
    if (axis !== undefined) axes.push({ config, axis, of: value });
    valueOf.set(name, value);
  };
  visit(model.output);
  requireLogits(model, layers);
  const { name } = model;
  const input = inputShapeOf(model.input.config);
  const shaped = shapedGraph(graphOf({ name, input, classes: 0, layers }));
  requireChannelAxes(axes, shaped);
  const last = shaped.at(-1);
  if (!last?.isFlat) throw model.nodes.get(model.output)!.config.wrong('it gives an image, not one number a class');
  return { name, input, classes: last.output.channels, layers };
}

function modelOf({ class_name: className, config }: Record<string, unknown>): KerasModel {
  const fields = recordOf(config);
  const layers: unknown = Array.isArray(config) ? config : fields?.['layers'];
  if (!Array.isArray(layers) || layers.length === 0) throw wrong('its config has no layers');
  const name = typeof fields?.['name'] === 'string' ? fields['name'].slice(0, MAX_NAME_LENGTH) : '';
  switch (className) {
    case 'Sequential':
      return { name: name || 'sequential', ...sequentialOf(layers) };
    case 'Model':
    case 'Functional':
      return { name: name || 'model', ...functionalOf(layers, fields ?? {}) };
    default:
      throw wrong(`it is a ${shown(className)}; known are Sequential and Model`);
  }
}

function sequentialOf(layers: readonly unknown[]): Omit<KerasModel, 'name'> {
  const nodes = new Map<string, KerasNode>();
  let before: string | undefined;
  for (const layer of layers) {
    const config = configOf(layer);
    addTo(nodes, { config, inputs: before === undefined ? [] : [before] });
    before = config.layer;
  }
  const [input] = nodes.values();
  return { nodes, input: input!, output: before! };
}

function functionalOf(layers: readonly unknown[], model: Record<string, unknown>): Omit<KerasModel, 'name'> {
  const nodes = new Map<string, KerasNode>();
  for (const layer of layers) {
    const config = configOf(layer);
    addTo(nodes, { config, inputs: inboundOf(config, recordOf(layer)?.['inbound_nodes']) });
  }
  const only = (key: 'input_layers' | 'output_layers') => {
    const listed = model[key];
    // One alone is written as itself by some.
    const references: readonly unknown[] =
      Array.isArray(listed) && typeof listed[0] === 'string' ? [listed] : asList(listed);
    if (references.length !== 1) throw wrong(`it has ${references.length} ${key}; a student has one`);
    return referenceOf(references[0], `${key} (${shown(listed)})`);
  };
  const input = nodes.get(only('input_layers'));
  if (!input) throw wrong(`there is no layer of the name in input_layers`);
  return { nodes, input, output: only('output_layers') };
}

function addTo(nodes: Map<string, KerasNode>, node: KerasNode): void {
  const { config } = node;
  if (nodes.has(config.layer)) throw config.wrong('another layer has this name; give each its own');
  nodes.set(config.layer, node);
}

function configOf(layer: unknown): KerasConfig {
  const { class_name: className, config, name } = recordOf(layer) ?? {};
  const fields = recordOf(config);
  const named = fields?.['name'] ?? name;
  if (typeof className !== 'string' || !fields || typeof named !== 'string' || named === '') {
    throw wrong(`a layer (${shown(layer)}) lacks its class_name, its config or its name`);
  }
  return new KerasConfig(named, className, fields);
}

/** tfjs and Keras 2 write [[[layer, node, tensor, {}], …]], one list for each use of the layer. */
function inboundOf(config: KerasConfig, nodes: unknown): string[] {
  const uses = asList(nodes);
  if (uses.length > 1) throw config.wrong(`it is used ${uses.length} times; the engines share no weights, copy it`);
  if (uses.length === 1 && !Array.isArray(uses[0])) {
    throw config.wrong('its inbound_nodes are written as Keras 3 does; save the model with tfjs or Keras 2');
  }
  return asList(uses[0]).map((reference) => referenceOf(reference, `an input of layer '${config.layer}'`));
}

function referenceOf(reference: unknown, what: string): string {
  const [name, node = 0, tensor = 0] = asList(reference);
  if (typeof name === 'string' && node === 0 && tensor === 0) return name;
  throw wrong(`${what} is not written as [layer, 0, 0]: save the model with tfjs or Keras 2`);
}

function asList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function inputShapeOf(config: KerasConfig): ImageShape {
  const given = config.get('batch_input_shape') ?? config.get('batch_shape');
  const [batch, height, width, channels] = asList(given);
  const sizes = [height, width, channels];
  if (
    asList(given).length === 4 &&
    (batch === null || typeof batch === 'number') &&
    sizes.every((size) => Number.isSafeInteger(size) && Number(size) > 0)
  ) {
    return { height: Number(height), width: Number(width), channels: Number(channels) };
  }
  throw config.wrong(`its batch_input_shape is ${shown(given)}; give it as [null, height, width, channels]`);
}

/** What comes out must be the logits of a softmax. */
function requireLogits({ nodes, output }: KerasModel, layers: readonly LayerSpec[]): void {
  const { config } = nodes.get(output)!;
  let last = layers.at(-1);
  if (last && 'activation' in last && last.activation !== 'linear') {
    throw config.wrong(
      `the network ends in ${last.activation}; it must end in a softmax over the classes, or in its logits`,
    );
  }
  while (last && (last.kind === 'dropout' || last.kind === 'flatten' || last.kind === 'reshape')) {
    const before: string | undefined = last.inputs?.[0];
    last = layers.find(({ name }) => name === before);
  }
  if (last?.kind === 'activation' && last.activation === 'softmax') {
    throw config.wrong(`it comes after the softmax '${last.name}'; let the network end with the softmax`);
  }
}

function requireChannelAxes(
  axes: readonly { config: KerasConfig; axis: number; of: string }[],
  layers: readonly ShapedLayer[],
): void {
  const ranks = new Map(layers.map(({ spec, isFlat }) => [spec.name, isFlat ? 2 : 4]));
  for (const { config, axis, of } of axes) {
    const last = (ranks.get(of) ?? 4) - 1;
    if (axis !== -1 && axis !== last) throw config.wrong(`axis is ${axis}; the engines work along the channels, -1`);
  }
}

function requireSize(json: string): void {
  const bytes = Buffer.byteLength(json);
  if (bytes > MAX_TOPOLOGY_BYTES) {
    throw wrong(`it has ${bytes} bytes without its weights, more than ${MAX_TOPOLOGY_BYTES}; use fewer layers`);
  }
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json) as unknown;
  } catch (cause) {
    throw new InvalidArgumentError(`student.topology is not JSON: ${cause instanceof Error ? cause.message : ''}`, {
      code: 'TOPOLOGY_INVALID',
      cause,
    });
  }
}

function wrong(what: string): InvalidArgumentError {
  return new InvalidArgumentError(`student.topology: ${what}`, { code: 'TOPOLOGY_INVALID' });
}
