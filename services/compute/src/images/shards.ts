import { createHash } from 'node:crypto';
import {
  DataLossError,
  InvalidArgumentError,
  decodeAnswers,
  decodeImages,
  describeShape,
  encodeImages,
  imagesPerShard,
  pixelsPerImage,
  sameShape,
} from '@bbdistill/common/base';
import type { AnswerBatch, BlobRef, BlobStore, ImageBatch, ImageShape } from '@bbdistill/common/base';

const SHA256_BYTES = 32;
/** Of the pixels that one training has, and of its answers: an array of Node 20 has no more. */
export const MAX_TRAINING_BYTES = 4 * 1024 ** 3;

/** A reference to at most 1024 stored images of one shape, as it travels in messages. */
export interface ImageShardRef {
  blob: BlobRef | null;
  images: number;
  shape: ImageShape | null;
}

/** A reference to the stored answers to one image shard. */
export interface AnswerShardRef {
  blob: BlobRef | null;
  images: number;
  classes: number;
}

export interface LabelledShardRef {
  images: ImageShardRef | null;
  answers: AnswerShardRef | null;
}

/** An image shard whose every field is there. */
export interface StoredShard {
  blob: BlobRef;
  images: number;
  shape: ImageShape;
}

/**
 * Fills shards with images as they are made and stores each when it is full.
 */
export class ShardWriter {
  readonly #blobs: Pick<BlobStore, 'put'>;
  readonly #shape: ImageShape;
  readonly #pixels: number;
  readonly #perShard: number;
  readonly #shards: StoredShard[] = [];
  #buffer: Uint8Array;
  #filled = 0;

  constructor(blobs: Pick<BlobStore, 'put'>, shape: ImageShape) {
    this.#blobs = blobs;
    this.#shape = shape;
    this.#pixels = pixelsPerImage(shape);
    this.#perShard = imagesPerShard(shape);
    this.#buffer = new Uint8Array(this.#perShard * this.#pixels);
  }

  /** Images written so far. */
  get count(): number {
    return this.#shards.reduce((sum, shard) => sum + shard.images, 0) + this.#filled;
  }

  /** Where the next image goes: uint8 [H,W,C] from `offset` on. */
  get slot(): { buffer: Uint8Array; offset: number } {
    return { buffer: this.#buffer, offset: this.#filled * this.#pixels };
  }

  /** Keeps the image in the slot. */
  async commit(): Promise<void> {
    this.#filled++;
    if (this.#filled === this.#perShard) await this.#store();
  }

  /** Stores what is left. */
  async finish(): Promise<StoredShard[]> {
    if (this.#filled > 0) await this.#store();
    return this.#shards;
  }

  async #store(): Promise<void> {
    const pixels = this.#buffer.subarray(0, this.#filled * this.#pixels);
    const blob = await this.#blobs.put(encodeImages({ count: this.#filled, shape: this.#shape, pixels }));
    this.#shards.push({ blob, images: this.#filled, shape: this.#shape });
    this.#buffer = new Uint8Array(this.#perShard * this.#pixels);
    this.#filled = 0;
  }
}

/**
 * The images of all shards in the order given.
 * @throws InvalidArgumentError where a reference is incomplete, the shapes differ or there is no image
 * @throws DataLossError where a blob is not what its reference says
 */
export async function readImages(blobs: Pick<BlobStore, 'get'>, shards: readonly ImageShardRef[]): Promise<ImageBatch> {
  const shape = commonShape(shards);
  const count = shards.reduce((sum, shard) => sum + shard.images, 0);
  const pixels = sharedBytes(count * pixelsPerImage(shape));
  let offset = 0;
  for (const shard of shards) {
    const batch = await readImageShard(blobs, shard);
    pixels.set(batch.pixels, offset);
    offset += batch.pixels.length;
  }
  return { count, shape, pixels };
}

/** What is trained on: images and the teacher's answers to them, in the order of the shards. */
export interface LabelledImages {
  count: number;
  shape: ImageShape;
  classes: number;
  /** uint8 [N,H,W,C] */
  pixels: Uint8Array;
  /** [N,K], rows sum to 1 */
  targets: Float32Array;
  /** Images that the teacher did not answer; they are left out. */
  unanswered: number;
}

/** What was read before of the first shards of a longer list. */
export interface ReadBefore {
  shards: number;
  labelled: LabelledImages;
}

/**
 * The answered images of all shards in the order given.
 * @param before is copied in place of reading those shards again
 * @throws InvalidArgumentError where a reference is incomplete, shapes or numbers of classes differ, or nothing was
 *   answered
 * @throws DataLossError where a blob is not what its reference says
 */
export async function readLabelled(
  blobs: Pick<BlobStore, 'get'>,
  shards: readonly LabelledShardRef[],
  classes: number,
  before?: ReadBefore,
): Promise<LabelledImages> {
  const shape = commonShape(shards.map(({ images }) => images ?? missing('images')));
  const perImage = pixelsPerImage(shape);
  const total = shards.reduce((sum, shard) => sum + (shard.images?.images ?? 0), 0);
  const pixels = sharedBytes(total * perImage);
  const targets = new Float32Array(new SharedArrayBuffer(total * classes * Float32Array.BYTES_PER_ELEMENT));
  let count = 0;
  if (before) {
    pixels.set(before.labelled.pixels);
    targets.set(before.labelled.targets);
    count = before.labelled.count;
  }
  for await (const { images, answers } of labelledShards(blobs, shards.slice(before?.shards ?? 0), classes)) {
    for (let n = 0; n < images.count; n++) {
      if (answers.answered[n] !== 1) continue;
      pixels.set(images.pixels.subarray(n * perImage, (n + 1) * perImage), count * perImage);
      targets.set(answers.targets.subarray(n * classes, (n + 1) * classes), count * classes);
      count++;
    }
  }
  if (count === 0) throw nothingAnswered(total);
  return {
    count,
    shape,
    classes,
    pixels: pixels.subarray(0, count * perImage),
    targets: targets.subarray(0, count * classes),
    unanswered: total - count,
  };
}

/** What the teacher said of which images. */
export interface AnsweredHashes {
  count: number;
  classes: number;
  /** SHA-256 of the pixels of every image, 32 bytes each. */
  hashes: Uint8Array;
  /** [N,K], rows sum to 1 */
  targets: Float32Array;
}

/** As `readLabelled`, with the images' hashes in the place of their pixels: a set of images is never held as a whole. */
export async function readAnswerHashes(
  blobs: Pick<BlobStore, 'get'>,
  shards: readonly LabelledShardRef[],
  classes: number,
): Promise<AnsweredHashes> {
  const total = shards.reduce((sum, shard) => sum + (shard.images?.images ?? 0), 0);
  const hashes = new Uint8Array(total * SHA256_BYTES);
  const targets = new Float32Array(total * classes);
  let count = 0;
  for await (const { images, answers } of labelledShards(blobs, shards, classes)) {
    const perImage = pixelsPerImage(images.shape);
    for (let n = 0; n < images.count; n++) {
      if (answers.answered[n] !== 1) continue;
      const image = images.pixels.subarray(n * perImage, (n + 1) * perImage);
      hashes.set(createHash('sha256').update(image).digest(), count * SHA256_BYTES);
      targets.set(answers.targets.subarray(n * classes, (n + 1) * classes), count * classes);
      count++;
    }
  }
  if (count === 0) throw nothingAnswered(total);
  return {
    count,
    classes,
    hashes: hashes.slice(0, count * SHA256_BYTES),
    targets: targets.slice(0, count * classes),
  };
}

function nothingAnswered(images: number): InvalidArgumentError {
  return new InvalidArgumentError(`none of the ${images} images has an answer of the teacher: nothing can be learnt`, {
    code: 'NOTHING_ANSWERED',
  });
}

/** One after the other, so that a reader holds one of them only. */
async function* labelledShards(
  blobs: Pick<BlobStore, 'get'>,
  shards: readonly LabelledShardRef[],
  classes: number,
): AsyncIterable<{ images: ImageBatch; answers: AnswerBatch }> {
  for (const shard of shards) {
    const images = await readImageShard(blobs, shard.images ?? missing('images'));
    const answers = decodeAnswers(await blobs.get((shard.answers?.blob ?? missing('answers.blob')).sha256));
    if (answers.classes !== classes) {
      throw new InvalidArgumentError(`the answers have ${answers.classes} classes, but ${classes} were declared`);
    }
    if (answers.count !== images.count) {
      throw new DataLossError(`a shard of ${images.count} images has ${answers.count} answers`, {
        code: 'SHARD_DAMAGED',
      });
    }
    yield { images, answers };
  }
}

/** Shared memory: the threads that compute with a set have it at once, and nobody holds it twice. */
function sharedBytes(length: number): Uint8Array {
  return new Uint8Array(new SharedArrayBuffer(length));
}

async function readImageShard(blobs: Pick<BlobStore, 'get'>, shard: ImageShardRef): Promise<ImageBatch> {
  const batch = decodeImages(await blobs.get((shard.blob ?? missing('blob')).sha256));
  const shape = shard.shape ?? missing('shape');
  if (batch.count !== shard.images || !sameShape(batch.shape, shape)) {
    throw new DataLossError(
      `a shard holds ${batch.count} images of ${describeShape(batch.shape)}, ` +
        `its reference says ${shard.images} of ${describeShape(shape)}`,
      { code: 'SHARD_DAMAGED' },
    );
  }
  return batch;
}

function commonShape(shards: readonly ImageShardRef[]): ImageShape {
  const first = shards[0];
  if (!first) throw new InvalidArgumentError('no shard of images was given: give at least one');
  const shape = first.shape ?? missing('shape');
  for (const shard of shards) {
    const other = shard.shape ?? missing('shape');
    if (!sameShape(shape, other)) {
      throw new InvalidArgumentError(
        `the shards mix images of ${describeShape(shape)} and ${describeShape(other)}: give images of one shape`,
      );
    }
  }
  return shape;
}

function missing(field: string): never {
  throw new InvalidArgumentError(`a shard reference lacks its field ${field}`);
}
