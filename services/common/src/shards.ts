import { DataLossError } from './errors.js';
import { decodeTensors, encodeTensors } from './safetensors.js';
import type { Dtype, NamedTensor } from './safetensors.js';

/** A unit of label work. */
export const MAX_IMAGES_PER_SHARD = 1024;

/** Pixels of one image, NHWC order; `channels` is 1 (grey) or 3 (RGB). */
export interface ImageShape {
  height: number;
  width: number;
  channels: number;
}

/** Images as they are asked, trained on and stored: uint8 [N,H,W,C]. */
export interface ImageBatch {
  count: number;
  shape: ImageShape;
  pixels: Uint8Array;
}

/** What the teacher said. A row of `targets` sums to 1, or is all zero where `answered` is 0. */
export interface AnswerBatch {
  count: number;
  classes: number;
  /** [N,K] */
  targets: Float32Array;
  /** [N], 1 = answered */
  answered: Uint8Array;
}

export function pixelsPerImage(shape: ImageShape): number {
  return shape.height * shape.width * shape.channels;
}

export function sameShape(a: ImageShape, b: ImageShape): boolean {
  return a.height === b.height && a.width === b.width && a.channels === b.channels;
}

/** `28x28x1` */
export function describeShape(shape: ImageShape): string {
  return `${shape.height}x${shape.width}x${shape.channels}`;
}

export function encodeImages(batch: ImageBatch): Uint8Array {
  const { height, width, channels } = batch.shape;
  return encodeTensors({
    metadata: {},
    tensors: { images: { dtype: 'U8', shape: [batch.count, height, width, channels], data: batch.pixels } },
  });
}

/** @throws DataLossError */
export function decodeImages(bytes: Uint8Array): ImageBatch {
  const { shape, data } = required(bytes, 'images', 'U8', 4);
  const [count, height, width, channels] = shape as [number, number, number, number];
  if (height * width * channels === 0) throw damaged(`its images are ${height}x${width}x${channels}`);
  return { count, shape: { height, width, channels }, pixels: data as Uint8Array };
}

export function encodeAnswers(batch: AnswerBatch): Uint8Array {
  return encodeTensors({
    metadata: {},
    tensors: {
      targets: { dtype: 'F32', shape: [batch.count, batch.classes], data: batch.targets },
      answered: { dtype: 'U8', shape: [batch.count], data: batch.answered },
    },
  });
}

/** @throws DataLossError */
export function decodeAnswers(bytes: Uint8Array): AnswerBatch {
  const targets = required(bytes, 'targets', 'F32', 2);
  const answered = required(bytes, 'answered', 'U8', 1);
  const [count, classes] = targets.shape as [number, number];
  if (answered.shape[0] !== count) throw damaged(`it has ${count} targets and ${answered.shape[0]} flags`);
  return { count, classes, targets: targets.data as Float32Array, answered: answered.data as Uint8Array };
}

/** @param labels true class per image, -1 = not known */
export function encodeLabels(labels: Int32Array): Uint8Array {
  return encodeTensors({ metadata: {}, tensors: { labels: { dtype: 'I32', shape: [labels.length], data: labels } } });
}

/** @throws DataLossError */
export function decodeLabels(bytes: Uint8Array): Int32Array {
  return required(bytes, 'labels', 'I32', 1).data as Int32Array;
}

function required(bytes: Uint8Array, name: string, dtype: Dtype, rank: number): NamedTensor {
  const { tensors } = decodeTensors(bytes);
  const tensor = Object.hasOwn(tensors, name) ? tensors[name] : undefined;
  if (!tensor || tensor.dtype !== dtype || tensor.shape.length !== rank) {
    throw damaged(`no tensor "${name}" of ${dtype} with ${rank} axes`);
  }
  return tensor;
}

function damaged(what: string): DataLossError {
  return new DataLossError(`this blob is not the expected shard: ${what}`, { code: 'SHARD_DAMAGED' });
}
