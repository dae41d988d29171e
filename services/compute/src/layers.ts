import type { ImageShape } from '@bbdistill/common/base';

/**
 * Networks as data: a list of layers in order, each fed by the layer before it or by the layers that it names. All
 * conventions are Keras', channels last:
 * - `same` padding: an edge of n pixels gives ⌈n / stride⌉; of the zeros that this takes the odd one lies behind
 *   (bottom, right). `valid`: ⌊(n − kernel) / stride⌋ + 1. A transposed convolution gives n·stride with `same` and
 *   n·stride + max(kernel − stride, 0) with `valid`, and pads as the convolution that it mirrors.
 * - An average pool with `same` padding divides by the pixels that are inside the image.
 * - Batch norm standardises each channel by the batch's mean and its biased variance in training, by the moving ones in
 *   prediction: (x − mean) / √(variance + epsilon)·gamma + beta; moving ← momentum·moving + (1 − momentum)·batch.
 * - Dropout zeroes in training only, and divides what it keeps by 1 − rate.
 */

export type Activation = 'linear' | 'relu' | 'sigmoid';
export type Padding = 'valid' | 'same';
/** Both edges alike, or height and width. */
export type Size2d = number | readonly [height: number, width: number];
/** Of kernels; biases start at 0. The normal ones are truncated at two standard deviations. */
export type Initializer =
  'glorot-uniform' | 'glorot-normal' | 'he-uniform' | 'he-normal' | 'lecun-uniform' | 'lecun-normal';

/** What the first layer is fed with unless it names another input. */
export const IMAGE_INPUT = 'image';

interface LayerCommon {
  /** Unique in its network; that of the exported model's layer. */
  name: string;
  /** Names of earlier layers or of the network's inputs; by default the layer before. */
  inputs?: readonly string[];
}

interface WithKernel {
  /** Default true. */
  useBias?: boolean;
  activation: Activation;
  /** Default `glorot-uniform`. */
  initializer?: Initializer;
  /** Adds l2·Σ kernel² to the loss; default 0. */
  l2?: number;
}

export interface Conv2dSpec extends LayerCommon, WithKernel {
  kind: 'conv2d';
  filters: number;
  kernelSize: Size2d;
  /** Default 1. */
  strides?: Size2d;
  padding: Padding;
}

/** Kernel [kh,kw,out,in], as Keras keeps it. */
export interface Conv2dTransposeSpec extends LayerCommon, WithKernel {
  kind: 'conv2d-transpose';
  filters: number;
  kernelSize: Size2d;
  /** Default 1. */
  strides?: Size2d;
  padding: Padding;
}

export interface PoolSpec extends LayerCommon {
  kind: 'max-pool2d' | 'average-pool2d';
  poolSize: Size2d;
  /** Default: as the pool size. */
  strides?: Size2d;
  /** Default `valid`. */
  padding?: Padding;
}

export interface DenseSpec extends LayerCommon, WithKernel {
  kind: 'dense';
  units: number;
}

export interface BatchNormSpec extends LayerCommon {
  kind: 'batch-norm';
  /** Default DEFAULT_BATCH_NORM_MOMENTUM; of the first steps' statistics less is kept, as of `EmaOptions`' averages. */
  momentum?: number;
  /** Default DEFAULT_BATCH_NORM_EPSILON. */
  epsilon?: number;
}

export interface DropoutSpec extends LayerCommon {
  kind: 'dropout';
  /** Share that is zeroed, 0 ≤ rate < 1. Which ones: `dropout.ts`. */
  rate: number;
}

export interface ActivationSpec extends LayerCommon {
  kind: 'activation';
  /** `softmax` goes over the channels. */
  activation: 'relu' | 'sigmoid' | 'softmax';
}

export interface ReshapeSpec extends LayerCommon {
  kind: 'reshape';
  shape: ImageShape;
}

export type LayerSpec =
  | Conv2dSpec
  | Conv2dTransposeSpec
  | PoolSpec
  /** Mean over height and width; flat. */
  | (LayerCommon & { kind: 'global-average-pool2d' })
  | DenseSpec
  | BatchNormSpec
  | DropoutSpec
  | ActivationSpec
  /** Sum of two or more inputs of one shape. */
  | (LayerCommon & { kind: 'add' })
  /** Two or more inputs side by side along the channels. */
  | (LayerCommon & { kind: 'concat' })
  | (LayerCommon & { kind: 'flatten' })
  | ReshapeSpec;

export const DEFAULT_BATCH_NORM_MOMENTUM = 0.99;
export const DEFAULT_BATCH_NORM_EPSILON = 1e-3;

/** [height, width] of a size, a kernel or strides. */
export function pairOf(size: Size2d): readonly [number, number] {
  return typeof size === 'number' ? [size, size] : size;
}

export function stridesOf(spec: Conv2dSpec | Conv2dTransposeSpec | PoolSpec): readonly [number, number] {
  if (spec.strides !== undefined) return pairOf(spec.strides);
  return spec.kind === 'conv2d' || spec.kind === 'conv2d-transpose' ? [1, 1] : pairOf(spec.poolSize);
}

/** The input layers of each layer, with the defaults filled in. */
export function inputsOf(layers: readonly LayerSpec[], at: number): readonly string[] {
  return layers[at]?.inputs ?? [layers[at - 1]?.name ?? IMAGE_INPUT];
}

/** Zeros before and after one edge of `size` pixels under a window of `kernel` pixels. */
export function paddingOf(padding: Padding, size: number, kernel: number, stride: number): [number, number] {
  if (padding === 'valid') return [0, 0];
  const total = Math.max((Math.ceil(size / stride) - 1) * stride + kernel - size, 0);
  const before = Math.floor(total / 2);
  return [before, total - before];
}

/** Windows along one edge. */
export function windowsOf(padding: Padding, size: number, kernel: number, stride: number): number {
  return padding === 'same' ? Math.ceil(size / stride) : Math.floor((size - kernel) / stride) + 1;
}

/** Pixels along one edge that a transposed convolution gives. */
export function spreadOf(padding: Padding, size: number, kernel: number, stride: number): number {
  return padding === 'same' ? size * stride : size * stride + Math.max(kernel - stride, 0);
}
