import { BbdError, InvalidArgumentError } from '@bbdistill/common/base';
import type { ImageShape } from '@bbdistill/common/base';
import type { ImagePipeline } from './augment/image-pipeline.js';
import type { LayerSpec } from './layers.js';

export * from './layers.js';

/** A classifier as data; the last layer gives logits [N,K] (flat, of `classes` channels). */
export interface NetworkSpec {
  name: string;
  input: ImageShape;
  classes: number;
  layers: readonly LayerSpec[];
}

/**
 * One tensor in Keras layout: conv kernels [kh,kw,in,out], transposed ones [kh,kw,out,in], dense kernels [in,out],
 * biases [out]; batch norm's four [channels], of which the moving ones are state that no optimiser touches.
 */
export interface WeightTensor {
  /** `<layer>/kernel`, `/bias`, `/gamma`, `/beta`, `/moving_mean` or `/moving_variance` */
  name: string;
  shape: readonly number[];
  data: Float32Array;
}

export interface AdamOptions {
  kind: 'adam';
  beta1: number;
  beta2: number;
  epsilon: number;
  /** Decoupled (AdamW); 0 = plain Adam. */
  weightDecay: number;
}

/** v ← momentum·v + g; w ← w − rate·(v, or g + momentum·v with nesterov) − rate·weightDecay·w */
export interface SgdOptions {
  kind: 'sgd';
  momentum: number;
  nesterov: boolean;
  /** Decoupled, as AdamW's. */
  weightDecay: number;
}

export type OptimiserOptions = AdamOptions | SgdOptions;

export const DEFAULT_ADAM: AdamOptions = { kind: 'adam', beta1: 0.9, beta2: 0.999, epsilon: 1e-7, weightDecay: 0 };
export const DEFAULT_SGD: SgdOptions = { kind: 'sgd', momentum: 0.9, nesterov: false, weightDecay: 0 };

/**
 * A training step met a loss or a gradient that isn't a number. The step changed nothing: weights, moments and moving
 * statistics are those of the step before.
 */
export class NanLossError extends BbdError {
  constructor(
    readonly network: string,
    /** Counted from 1. */
    readonly step: number,
    readonly loss: number,
    /** Where it first showed: a layer's name, `image` or `targets`; undefined where the engine can't tell. */
    readonly layer?: string,
  ) {
    const where = layer === undefined ? '' : `, first in ${layer}`;
    super(
      'failed-precondition',
      `the loss of ${network} became ${loss} at step ${step}${where}; look for images or answers that aren't finite, ` +
        'or lower the learning rate',
      { code: 'NAN_LOSS' },
    );
  }
}

/**
 * What a classifier is trained on, as a mean over the images. Targets are the teacher's answers [N,K]; `hard` is their
 * largest class. An image whose targets are all zero counts nothing. The layers' l2 is added.
 */
export type LossOptions =
  /** balance·CE(hard) + (1−balance)·T²·KL(soft ‖ student, both at T); the paper trains with balance 0, T 1. */
  | { kind?: 'distillation'; balance: number; temperature: number }
  /** −Σ soft·log(student): the gradient of KL at T = 1, and larger by the answers' entropy. */
  | { kind: 'soft-cross-entropy' }
  /** T²·KL(soft ‖ student, both at T) */
  | { kind: 'kl'; temperature: number }
  /** −log(student[hard]) */
  | { kind: 'hard-cross-entropy' };

/** Running average of the weights: average ← decay·average + (1 − decay)·weights after every step. */
export interface EmaOptions {
  /** 0 < decay < 1. The average is of the steps so far, min(decay, (1 + step) / (10 + step)), so that it starts well. */
  decay: number;
}

export interface ClassifierOptions {
  network: NetworkSpec;
  /** Most images a training step takes. */
  batch: number;
  /** Of the initial weights (each layer's initializer, zero biases) and of dropout. */
  seed: number;
  loss: LossOptions;
  optimiser: OptimiserOptions;
  /** Default: none, and `averagedWeights` gives the weights themselves. */
  ema?: EmaOptions;
  /** Default: this classifier trains alone. Only for engines whose classifiers are SplitStepClassifiers. */
  share?: BatchShare;
}

/** A classifier's place among those that train one batch together, each in a thread of its own. */
export interface BatchShare {
  /** Counted from 0. */
  thread: number;
  /** Of every thread's part of the batch. */
  images: readonly number[];
}

/**
 * A network compiled with its loss and optimiser. One at a time owner, not shared between threads. The same seed,
 * engine and calls give the same bits.
 */
export interface Classifier {
  readonly network: NetworkSpec;
  /** Trainable numbers. */
  readonly parameterCount: number;
  /** To be filled before `trainStep`: [batch,H,W,C], values 0..1. Get it anew for every step. */
  readonly images: Float32Array;
  /** Fills `images` from bytes, where the engine can do that itself. Get it anew for every step. */
  readonly pipeline?: ImagePipeline;
  /** To be filled before `trainStep`: [batch,K], rows sum to 1. Get it anew for every step. */
  readonly targets: Float32Array;
  /**
   * One optimiser step on the first `count` images of the buffers.
   * @returns the mean loss before the step
   * @throws NanLossError naming the step
   */
  trainStep(count: number, learningRate: number): number;
  /** Softmax [N,K] of uint8 images [N,H,W,C]; any N. Doesn't touch the training state. */
  predict(images: Uint8Array, count: number): Float32Array;
  /** Copies, in the order of the layers, moving statistics included. */
  weights(): WeightTensor[];
  /** As `weights`, with the running averages of the trainable tensors. */
  averagedWeights(): WeightTensor[];
  /** @throws InvalidArgumentError where a name or a shape doesn't fit */
  setWeights(weights: readonly WeightTensor[]): void;
  /** Weights, moving statistics, optimiser moments, averages and step count, for `restore`. */
  checkpoint(): Uint8Array;
  restore(checkpoint: Uint8Array): void;
  /** Bytes that the engine holds for this network; flat over the steps. */
  memoryBytes(): number;
  dispose(): void;
}

/**
 * A classifier whose step comes in two halves, for training one batch in several threads. Each computes the gradients
 * of its part; each gets the others' gradients of its slice of the parameters into `parts`, and moves that slice alone;
 * each gets the others' slices into `values`. So no work on the parameters is done twice.
 */
export interface SplitStepClassifier extends Classifier {
  /** The flat gradient [parameterCount] of `computeGradients`. */
  readonly gradients: Float32Array;
  /** The flat trainable weights [parameterCount]. */
  readonly values: Float32Array;
  /** Flat vectors of the optimiser's state [parameterCount each]; only the slice of them is kept current. */
  readonly moments: readonly Float32Array[];
  /** What this thread moves of the flat vectors; all of them where it trains alone. */
  readonly slice: { begin: number; end: number };
  /** By thread, [end − begin] each: their gradients of this slice. This thread's own comes there by itself. */
  readonly parts: readonly Float32Array[];
  /** Batch norm's moving statistics, flat; empty without batch norm. `applyGradients` moves them by this thread's part. */
  readonly statistics: Float32Array;
  /**
   * Forward and backward of the first `count` images of the buffers; changes no weights.
   * @param firstImage place of the first of them in the whole batch: dropout goes by it
   * @returns their mean loss
   * @throws NanLossError naming step and layer
   */
  computeGradients(count: number, firstImage: number): number;
  /** The optimiser's step on the slice, with the mean of `parts` over the batch; counts as one step. */
  applyGradients(learningRate: number): void;
}

/**
 * The conditional VAEs of the paper, ReLU inside, sigmoid out; `cvae-networks.ts` has their layers.
 * dense: (pixels + classes) → hidden… → z → …hidden → pixels, where hidden are the encoder's sizes (paper: 256, 128, 64).
 * convolutional: 4x4 convolutions of stride 2 with these filters (paper: 32, 64, 128, 256, 512), dense hidden… (paper:
 * 32, 16), z, and the mirror of it.
 */
export type CvaeArchitecture =
  | { kind: 'dense'; hidden: readonly number[] }
  | { kind: 'convolutional'; filters: readonly number[]; hidden: readonly number[] };

export interface CvaeOptions {
  shape: ImageShape;
  classes: number;
  /** Size of z. */
  latent: number;
  architecture: CvaeArchitecture;
  batch: number;
  seed: number;
  optimiser: OptimiserOptions;
}

/** A conditional VAE compiled with its loss (Bernoulli reconstruction summed over the pixels + KL) and optimiser. */
export interface Cvae {
  /** [batch, H·W·C], values 0..1. Get it anew for every step. */
  readonly images: Float32Array;
  /** One-hot or soft condition [batch,K]. Get it anew for every step. */
  readonly conditions: Float32Array;
  /** Standard normal [batch,latent] for the reparameterisation. Get it anew for every step. */
  readonly noise: Float32Array;
  /** @returns the mean over the batch of reconstruction + KL, before the step; @throws NanLossError */
  trainStep(count: number, learningRate: number): number;
  /** Pixels 0..1 [N, H·W·C] for z [N,latent] and conditions [N,K]. */
  decode(latents: Float32Array, conditions: Float32Array, count: number): Float32Array;
  /** All weights; those of the decoder are named `decoder/…`. */
  weights(): WeightTensor[];
  setWeights(weights: readonly WeightTensor[]): void;
  checkpoint(): Uint8Array;
  restore(checkpoint: Uint8Array): void;
  memoryBytes(): number;
  dispose(): void;
}

export const ENGINE_NAMES = ['auto', 'native', 'wasm', 'tensorflow-gpu', 'tensorflow', 'webgpu'] as const;
export type EngineName = (typeof ENGINE_NAMES)[number];
export const GPU_WISHES = ['required', 'preferred', 'never'] as const;
export type GpuWish = (typeof GPU_WISHES)[number];

/** Compiles networks. One per thread. */
export interface Engine {
  readonly name: Exclude<EngineName, 'auto'>;
  /** One line for logs and reports: version, instruction set, device. */
  readonly description: string;
  createClassifier(options: ClassifierOptions): Classifier;
  createCvae(options: CvaeOptions): Cvae;
}

/**
 * The name of an engine as a caller wrote it; nothing written means `auto`.
 * @throws InvalidArgumentError
 */
export function engineNamed(name: string): EngineName {
  const wanted = name === '' ? 'auto' : name;
  const found = ENGINE_NAMES.find((known) => known === wanted);
  if (found) return found;
  throw new InvalidArgumentError(`engine is "${name}": use one of ${ENGINE_NAMES.join(', ')}`);
}
