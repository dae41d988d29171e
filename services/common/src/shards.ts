import { DataLossError } from './errors.js';
import { decodeTensors, encodeTensors } from './safetensors.js';
import type { Dtype, NamedTensor, TensorFile } from './safetensors.js';

/** A unit of label work. */
export const MAX_IMAGES_PER_SHARD = 1024;
/** Pixels of a shard, which whoever works on it holds as a whole. A larger image is a shard by itself. */
export const MAX_SHARD_BYTES = 64 * 1024 * 1024;

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
  /** Absent where it isn't known. */
  provenance?: AnswerProvenance;
}

/** How the targets came from what the teacher said. */
export interface AnswerProvenance {
  /** The rules by which answers became targets, in words. */
  form: string;
  /** [N], part of the target's mass 1 that the teacher didn't give and that was filled in. */
  completed: Float32Array;
  /** [N], part of the teacher's mass 1 that was left out, e.g. of labels that are no class of the student. */
  dropped: Float32Array;
  /** [N], 1 = the teacher worked and named no class; such an image is not answered. */
  abstained: Uint8Array;
}

export function pixelsPerImage(shape: ImageShape): number {
  return shape.height * shape.width * shape.channels;
}

/** Of a run or a set: what names them all, in a job or a record, is a message of NATS, of 1 MB at most. */
export const MAX_SHARDS = 2_500;

/** How many images fill a shard: fewer than {@link MAX_IMAGES_PER_SHARD} where they are large. */
export function imagesPerShard(shape: ImageShape): number {
  return Math.max(1, Math.min(MAX_IMAGES_PER_SHARD, Math.floor(MAX_SHARD_BYTES / pixelsPerImage(shape))));
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
  const { shape, data } = required(decodeTensors(bytes), 'images', 'U8', 4);
  const [count, height, width, channels] = shape as [number, number, number, number];
  if (height * width * channels === 0) throw damaged(`its images are ${height}x${width}x${channels}`);
  return { count, shape: { height, width, channels }, pixels: data as Uint8Array };
}

export function encodeAnswers({ count, classes, targets, answered, provenance }: AnswerBatch): Uint8Array {
  return encodeTensors({
    metadata: provenance ? { form: provenance.form } : {},
    tensors: {
      targets: { dtype: 'F32', shape: [count, classes], data: targets },
      answered: { dtype: 'U8', shape: [count], data: answered },
      ...(provenance && {
        completed: { dtype: 'F32', shape: [count], data: provenance.completed },
        dropped: { dtype: 'F32', shape: [count], data: provenance.dropped },
        abstained: { dtype: 'U8', shape: [count], data: provenance.abstained },
      }),
    },
  });
}

/** @throws DataLossError */
export function decodeAnswers(bytes: Uint8Array): AnswerBatch {
  const file = decodeTensors(bytes);
  const targets = required(file, 'targets', 'F32', 2);
  const answered = required(file, 'answered', 'U8', 1);
  const [count, classes] = targets.shape as [number, number];
  if (answered.shape[0] !== count) throw damaged(`it has ${count} targets and ${answered.shape[0]} flags`);
  const provenance = decodeProvenance(file, count);
  return {
    count,
    classes,
    targets: targets.data as Float32Array,
    answered: answered.data as Uint8Array,
    ...(provenance && { provenance }),
  };
}

function decodeProvenance(file: TensorFile, count: number): AnswerProvenance | undefined {
  if (!Object.hasOwn(file.tensors, 'abstained')) return undefined;
  const [completed, dropped, abstained] = [
    required(file, 'completed', 'F32', 1),
    required(file, 'dropped', 'F32', 1),
    required(file, 'abstained', 'U8', 1),
  ];
  const wrong = [completed, dropped, abstained].find(({ shape }) => shape[0] !== count);
  if (wrong) throw damaged(`it has ${count} targets and the provenance of ${wrong.shape[0]}`);
  return {
    form: file.metadata.form ?? '',
    completed: completed.data as Float32Array,
    dropped: dropped.data as Float32Array,
    abstained: abstained.data as Uint8Array,
  };
}

/** @param labels true class per image, -1 = not known */
export function encodeLabels(labels: Int32Array): Uint8Array {
  return encodeTensors({ metadata: {}, tensors: { labels: { dtype: 'I32', shape: [labels.length], data: labels } } });
}

/** @throws DataLossError */
export function decodeLabels(bytes: Uint8Array): Int32Array {
  return required(decodeTensors(bytes), 'labels', 'I32', 1).data as Int32Array;
}

function required({ tensors }: TensorFile, name: string, dtype: Dtype, rank: number): NamedTensor {
  const tensor = Object.hasOwn(tensors, name) ? tensors[name] : undefined;
  if (!tensor || tensor.dtype !== dtype || tensor.shape.length !== rank) {
    throw damaged(`no tensor "${name}" of ${dtype} with ${rank} axes`);
  }
  return tensor;
}

function damaged(what: string): DataLossError {
  return new DataLossError(`this blob is not the expected shard: ${what}`, { code: 'SHARD_DAMAGED' });
}
