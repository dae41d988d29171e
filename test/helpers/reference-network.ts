import {
  DEFAULT_BATCH_NORM_EPSILON,
  dropoutMask,
  dropoutSeed,
  paddingOf,
  pairOf,
  shapedGraph,
  stridesOf,
} from '@bbdistill/compute';
import type { LayerGraph, ShapedLayer } from '@bbdistill/compute';

// The plain definition of every layer in double precision: the oracle of the gradient and shape tests.

export type Weights = ReadonlyMap<string, Float64Array>;
/** Values of a batch, one array [H·W·C] an image. */
export type Batch = number[][];

export interface ReferenceMode {
  /** Batch statistics and dropout as in this step of a training; undefined: as in prediction. */
  training?: { seed: number; step: number };
}

/** What every layer gives, by name; inputs included. */
export function referenceForward(
  graph: LayerGraph,
  weights: Weights,
  inputs: ReadonlyMap<string, Batch>,
  mode: ReferenceMode = {},
): Map<string, Batch> {
  const values = new Map(inputs);
  for (const layer of shapedGraph(graph)) {
    values.set(
      layer.spec.name,
      layerOutput(
        layer,
        weights,
        layer.inputNames.map((name) => values.get(name)!),
        mode,
      ),
    );
  }
  return values;
}

/** The layers' l2·Σ kernel². */
export function referencePenalty(graph: LayerGraph, weights: Weights): number {
  let penalty = 0;
  for (const spec of graph.layers) {
    const l2 = 'l2' in spec ? (spec.l2 ?? 0) : 0;
    if (l2 > 0) weights.get(`${spec.name}/kernel`)!.forEach((w) => (penalty += l2 * w * w));
  }
  return penalty;
}

function layerOutput(layer: ShapedLayer, weights: Weights, inputs: Batch[], mode: ReferenceMode): Batch {
  const { spec, input, output } = layer;
  const [x] = inputs as [Batch];
  switch (spec.kind) {
    case 'dense': {
      const kernel = weights.get(`${spec.name}/kernel`)!;
      const bias = weights.get(`${spec.name}/bias`);
      return x.map((values) =>
        Array.from({ length: spec.units }, (_, j) =>
          activated(
            spec.activation,
            values.reduce((sum, value, i) => sum + value * kernel[i * spec.units + j]!, bias?.[j] ?? 0),
          ),
        ),
      );
    }
    case 'conv2d':
      return x.map((image) => convolved(layer, image, weights));
    case 'conv2d-transpose':
      return x.map((image) => transposed(layer, image, weights));
    case 'max-pool2d':
    case 'average-pool2d':
      return x.map((image) => pooled(layer, image));
    case 'global-average-pool2d': {
      const pixels = input.height * input.width;
      return x.map((image) =>
        Array.from({ length: input.channels }, (_, c) => {
          let sum = 0;
          for (let p = 0; p < pixels; p++) sum += image[p * input.channels + c]!;
          return sum / pixels;
        }),
      );
    }
    case 'batch-norm':
      return normalised(layer, x, weights, mode);
    case 'dropout': {
      if (!mode.training) return x;
      const features = x[0]!.length;
      const mask = new Float32Array(x.length * features);
      dropoutMask(dropoutSeed(mode.training.seed, spec.name), mode.training.step, spec.rate, 0, mask);
      return x.map((values, n) =>
        values.map((value, i) => (mask[n * features + i]! === 0 ? 0 : value / (1 - spec.rate))),
      );
    }
    case 'activation':
      if (spec.activation === 'softmax') return x.map((values) => softmaxed(values, output.channels));
      return x.map((values) => values.map((value) => activated(spec.activation as 'relu' | 'sigmoid', value)));
    case 'add':
      return x.map((values, n) => values.map((_, i) => inputs.reduce((sum, other) => sum + other[n]![i]!, 0)));
    case 'concat':
      return x.map((_, n) => {
        const joined: number[] = [];
        for (let p = 0; p < output.height * output.width; p++) {
          inputs.forEach((other, at) => {
            const { channels } = layer.inputs[at]!;
            joined.push(...other[n]!.slice(p * channels, (p + 1) * channels));
          });
        }
        return joined;
      });
    case 'flatten':
    case 'reshape':
      return x;
  }
}

function activated(activation: 'linear' | 'relu' | 'sigmoid', x: number): number {
  return activation === 'relu' ? Math.max(x, 0) : activation === 'sigmoid' ? 1 / (1 + Math.exp(-x)) : x;
}

function softmaxed(values: number[], channels: number): number[] {
  const result: number[] = [];
  for (let at = 0; at < values.length; at += channels) {
    const logits = values.slice(at, at + channels);
    const maximum = Math.max(...logits);
    const powers = logits.map((logit) => Math.exp(logit - maximum));
    const sum = powers.reduce((a, b) => a + b, 0);
    result.push(...powers.map((power) => power / sum));
  }
  return result;
}

function convolved({ spec, input, output }: ShapedLayer, image: number[], weights: Weights): number[] {
  if (spec.kind !== 'conv2d') return [];
  const [kernelHeight, kernelWidth] = pairOf(spec.kernelSize);
  const [strideY, strideX] = stridesOf(spec);
  const [top] = paddingOf(spec.padding, input.height, kernelHeight, strideY);
  const [left] = paddingOf(spec.padding, input.width, kernelWidth, strideX);
  const kernel = weights.get(`${spec.name}/kernel`)!;
  const bias = weights.get(`${spec.name}/bias`);
  const result: number[] = [];
  for (let y = 0; y < output.height; y++) {
    for (let x = 0; x < output.width; x++) {
      for (let f = 0; f < spec.filters; f++) {
        let sum = bias?.[f] ?? 0;
        for (let ky = 0; ky < kernelHeight; ky++) {
          for (let kx = 0; kx < kernelWidth; kx++) {
            const row = y * strideY + ky - top;
            const column = x * strideX + kx - left;
            if (row < 0 || column < 0 || row >= input.height || column >= input.width) continue;
            for (let c = 0; c < input.channels; c++) {
              sum +=
                image[(row * input.width + column) * input.channels + c]! *
                kernel[((ky * kernelWidth + kx) * input.channels + c) * spec.filters + f]!;
            }
          }
        }
        result.push(activated(spec.activation, sum));
      }
    }
  }
  return result;
}

function transposed({ spec, input, output }: ShapedLayer, image: number[], weights: Weights): number[] {
  if (spec.kind !== 'conv2d-transpose') return [];
  const [kernelHeight, kernelWidth] = pairOf(spec.kernelSize);
  const [strideY, strideX] = stridesOf(spec);
  const [top] = paddingOf(spec.padding, output.height, kernelHeight, strideY);
  const [left] = paddingOf(spec.padding, output.width, kernelWidth, strideX);
  const kernel = weights.get(`${spec.name}/kernel`)!;
  const bias = weights.get(`${spec.name}/bias`);
  const sums = Array.from(
    { length: output.height * output.width * spec.filters },
    (_, i) => bias?.[i % spec.filters] ?? 0,
  );
  for (let y = 0; y < input.height; y++) {
    for (let x = 0; x < input.width; x++) {
      for (let ky = 0; ky < kernelHeight; ky++) {
        for (let kx = 0; kx < kernelWidth; kx++) {
          const row = y * strideY + ky - top;
          const column = x * strideX + kx - left;
          if (row < 0 || column < 0 || row >= output.height || column >= output.width) continue;
          for (let f = 0; f < spec.filters; f++) {
            for (let c = 0; c < input.channels; c++) {
              sums[(row * output.width + column) * spec.filters + f]! +=
                image[(y * input.width + x) * input.channels + c]! *
                kernel[((ky * kernelWidth + kx) * spec.filters + f) * input.channels + c]!;
            }
          }
        }
      }
    }
  }
  return sums.map((sum) => activated(spec.activation, sum));
}

function pooled({ spec, input, output }: ShapedLayer, image: number[]): number[] {
  if (spec.kind !== 'max-pool2d' && spec.kind !== 'average-pool2d') return [];
  const [poolHeight, poolWidth] = pairOf(spec.poolSize);
  const [strideY, strideX] = stridesOf(spec);
  const padding = spec.padding ?? 'valid';
  const [top] = paddingOf(padding, input.height, poolHeight, strideY);
  const [left] = paddingOf(padding, input.width, poolWidth, strideX);
  const result: number[] = [];
  for (let y = 0; y < output.height; y++) {
    for (let x = 0; x < output.width; x++) {
      for (let c = 0; c < input.channels; c++) {
        const inside: number[] = [];
        for (let ky = 0; ky < poolHeight; ky++) {
          for (let kx = 0; kx < poolWidth; kx++) {
            const row = y * strideY + ky - top;
            const column = x * strideX + kx - left;
            if (row < 0 || column < 0 || row >= input.height || column >= input.width) continue;
            inside.push(image[(row * input.width + column) * input.channels + c]!);
          }
        }
        result.push(
          spec.kind === 'max-pool2d' ? Math.max(...inside) : inside.reduce((a, b) => a + b, 0) / inside.length,
        );
      }
    }
  }
  return result;
}

function normalised({ spec, input }: ShapedLayer, x: Batch, weights: Weights, { training }: ReferenceMode): Batch {
  if (spec.kind !== 'batch-norm') return [];
  const { channels } = input;
  const tensor = (name: string) => weights.get(`${spec.name}/${name}`)!;
  const epsilon = spec.epsilon ?? DEFAULT_BATCH_NORM_EPSILON;
  const gamma = tensor('gamma');
  const beta = tensor('beta');
  let mean: ArrayLike<number> = tensor('moving_mean');
  let variance: ArrayLike<number> = tensor('moving_variance');
  if (training) {
    const perChannel = (of: (value: number, c: number) => number) => {
      const sums = new Array<number>(channels).fill(0);
      for (const values of x) values.forEach((value, i) => (sums[i % channels]! += of(value, i % channels)));
      return sums.map((sum) => sum / ((x.length * x[0]!.length) / channels));
    };
    const batchMean = perChannel((value) => value);
    mean = batchMean;
    variance = perChannel((value, c) => (value - batchMean[c]!) ** 2);
  }
  return x.map((values) =>
    values.map((value, i) => {
      const c = i % channels;
      return ((value - mean[c]!) / Math.sqrt(variance[c]! + epsilon)) * gamma[c]! + beta[c]!;
    }),
  );
}
