import { InvalidArgumentError } from '@bbdistill/common';
import { BbdError } from '@bbdistill/common';
import type { ImageShape } from '@bbdistill/common';

export type Activation = 'linear' | 'relu' | 'sigmoid';

/** One layer; a network is a list of them. Names are those of the exported model. */
export type LayerSpec =
  | {
      kind: 'conv2d';
      name: string;
      filters: number;
      kernelSize: number;
      padding: 'valid' | 'same';
      activation: Activation;
    }
  | { kind: 'max-pool2d'; name: string; poolSize: number }
  | { kind: 'flatten'; name: string }
  | { kind: 'dense'; name: string; units: number; activation: Activation };

/** A classifier as data: the last layer gives logits [N,K]. */
export interface NetworkSpec {
  name: string;
  input: ImageShape;
  classes: number;
  layers: readonly LayerSpec[];
}

/** One trainable tensor in Keras layout: conv kernels [kh,kw,in,out], dense kernels [in,out], biases [out]. */
export interface WeightTensor {
  /** `<layer>/kernel` or `<layer>/bias` */
  name: string;
  shape: readonly number[];
  data: Float32Array;
}

export interface AdamOptions {
  beta1: number;
  beta2: number;
  epsilon: number;
  /** Decoupled (AdamW); 0 = plain Adam. */
  weightDecay: number;
}

export const DEFAULT_ADAM: AdamOptions = { beta1: 0.9, beta2: 0.999, epsilon: 1e-7, weightDecay: 0 };

/**
 * A training step met a loss that isn't a number. The step changed nothing: weights and moments are those of the step
 * before.
 */
export class NanLossError extends BbdError {
  constructor(
    readonly network: string,
    /** Counted from 1. */
    readonly step: number,
    readonly loss: number,
  ) {
    super(
      'failed-precondition',
      `the loss of ${network} became ${loss} at step ${step}; look for images or answers that aren't finite, ` +
        'or lower the learning rate',
      { code: 'NAN_LOSS' },
    );
  }
}

/** balance·CE(hard) + (1−balance)·T²·KL(soft at T); the paper trains with balance 0, T 1. */
export interface LossOptions {
  balance: number;
  temperature: number;
}

export interface ClassifierOptions {
  network: NetworkSpec;
  /** Most images a training step takes. */
  batch: number;
  /** Of the initial weights (Glorot uniform, zero biases). */
  seed: number;
  loss: LossOptions;
  adam: AdamOptions;
}

/**
 * A network compiled with its loss and optimiser. One at a time owner, not shared between threads. The same seed,
 * engine and calls give the same bits.
 */
export interface Classifier {
  readonly network: NetworkSpec;
  readonly parameterCount: number;
  /** To be filled before `trainStep`: [batch,H,W,C], values 0..1. Get it anew for every step. */
  readonly images: Float32Array;
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
  /** Copies, in the order of the layers. */
  weights(): WeightTensor[];
  /** @throws InvalidArgumentError where a name or a shape doesn't fit */
  setWeights(weights: readonly WeightTensor[]): void;
  /** Weights, optimiser moments and step count, for `restore`. */
  checkpoint(): Uint8Array;
  restore(checkpoint: Uint8Array): void;
  /** Bytes that the engine holds for this network; flat over the steps. */
  memoryBytes(): number;
  dispose(): void;
}

/** The dense CVAE of the paper: (pixels + classes) → hidden… → z → …hidden → pixels, ReLU, sigmoid out. */
export interface CvaeOptions {
  shape: ImageShape;
  classes: number;
  /** Size of z. */
  latent: number;
  /** Encoder's hidden sizes; the decoder mirrors them. Paper: 256, 128, 64. */
  hidden: readonly number[];
  batch: number;
  seed: number;
  adam: AdamOptions;
}

/** A conditional VAE compiled with its loss (sum of binary cross-entropy over the pixels + KL) and Adam. */
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
export type GpuWish = 'required' | 'preferred' | 'never';

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
