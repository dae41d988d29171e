import {
  DEFAULT_MAX_MESSAGE_BYTES,
  InvalidArgumentError,
  KeyExistsError,
  NotFoundError,
  RevisionMismatchError,
  decodeJson,
  describeShape,
  encodeImages,
  encodeJson,
  encodeLabels,
  hashOf,
  MAX_SHARDS,
  imagesPerShard,
  pixelsPerImage,
} from '@bbdistill/common';
import type { BlobStore, Clock, ImageShape, StateStore } from '@bbdistill/common';
import type { Dataset__Output } from '@bbdistill/common/gen/bbdistill/v1/Dataset.js';
import type { ImageShard__Output } from '@bbdistill/common/gen/bbdistill/v1/ImageShard.js';

export const MAX_IMAGE_SIDE_PIXELS = 4096;
/** Beyond it an upload is refused: "few images" are meant, and a test set. */
export const DEFAULT_MAX_DATASET_BYTES = 2 * 1024 ** 3;
/** What a message carries besides the pixels of one image. */
const MESSAGE_HEADROOM_BYTES = 1024;
const MAX_CLASS_NAMES = 10_000;
const MAX_CLASS_NAME_CHARACTERS = 200;

export interface DatasetHeader {
  shape: ImageShape;
  classNames: readonly string[];
}

/** Images as they come in: whole images, with labels for all of them or for none. */
export interface DatasetPiece {
  pixels: Uint8Array;
  labels: readonly number[];
}

/** As it is kept. */
export interface DatasetRecord extends Dataset__Output {
  /** Of the last upload. */
  storedAtMs?: number;
}

/** What is taken at most. */
export interface DatasetLimits {
  /** Default {@link DEFAULT_MAX_DATASET_BYTES}. */
  maxBytes?: number;
  /** Largest message that can come, with one whole image at least. Default {@link DEFAULT_MAX_MESSAGE_BYTES}. */
  maxMessageBytes?: number;
}

const keyOf = (id: string) => `datasets/${id}`;

/** Uploaded images: shards in the blob store, one record that names them. */
export class DatasetStore {
  readonly #maxBytes: number;
  readonly #maxImageBytes: number;

  constructor(
    private readonly state: StateStore,
    private readonly blobs: Pick<BlobStore, 'put'>,
    private readonly clock: Clock,
    { maxBytes = DEFAULT_MAX_DATASET_BYTES, maxMessageBytes = DEFAULT_MAX_MESSAGE_BYTES }: DatasetLimits = {},
  ) {
    this.#maxBytes = maxBytes;
    this.#maxImageBytes = maxMessageBytes - MESSAGE_HEADROOM_BYTES;
  }

  /** @throws NotFoundError */
  async get(id: string): Promise<Dataset__Output> {
    const entry = await this.state.get(keyOf(id));
    if (entry) {
      const { storedAtMs: _storedAtMs, ...dataset } = decodeJson<DatasetRecord>(entry.value);
      return dataset;
    }
    throw new NotFoundError(`there are no images "${id}": upload them first`, { code: 'DATASET_NOT_FOUND' });
  }

  /**
   * Cuts the pieces into shards and stores them. The same pixels, labels and names are the same data set.
   * @throws InvalidArgumentError for a shape, byte count or label that can't be
   */
  async store(header: DatasetHeader, pieces: AsyncIterable<DatasetPiece>): Promise<Dataset__Output> {
    checkHeader(header, this.#maxImageBytes);
    const { shape } = header;
    const imageBytes = pixelsPerImage(shape);
    const cutter = new ShardCutter(this.blobs, shape);
    const labels: number[] = [];
    let bytes = 0;
    for await (const piece of pieces) {
      const count = piece.pixels.length / imageBytes;
      if (!Number.isInteger(count)) {
        throw new InvalidArgumentError(
          `a message carries ${piece.pixels.length} bytes, no whole number of ${describeShape(shape)} images`,
        );
      }
      bytes += piece.pixels.length;
      if (bytes > this.#maxBytes) {
        throw new InvalidArgumentError(
          `the images have more than ${this.#maxBytes} bytes: upload fewer or smaller ones`,
          {
            code: 'DATASET_TOO_LARGE',
          },
        );
      }
      if (piece.labels.length > 0) {
        for (const label of checkLabels(piece.labels, count, header.classNames)) labels.push(label);
      }
      await cutter.add(piece.pixels);
      if (cutter.shards > MAX_SHARDS) {
        const most = MAX_SHARDS * imagesPerShard(shape);
        throw new InvalidArgumentError(`more than ${most} images were sent: upload fewer`, {
          code: 'DATASET_TOO_LARGE',
        });
      }
    }
    const shards = await cutter.finish();
    const images = shards.reduce((sum, shard) => sum + shard.images, 0);
    if (images === 0) throw new InvalidArgumentError('no images were sent: send at least one', { code: 'NO_IMAGES' });
    if (labels.length > 0 && labels.length !== images) {
      throw new InvalidArgumentError(`${labels.length} labels were sent for ${images} images: send one each, or none`);
    }
    const content = {
      shards,
      labels: labels.length > 0 ? await this.blobs.put(encodeLabels(Int32Array.from(labels))) : null,
      images,
      shape,
      classNames: [...header.classNames],
    };
    const dataset: Dataset__Output = { id: hashOf(content).slice(0, 32), ...content };
    await this.#write({ ...dataset, storedAtMs: this.clock.nowMs() });
    return dataset;
  }

  async #write(record: DatasetRecord): Promise<void> {
    const key = keyOf(record.id);
    for (;;) {
      const entry = await this.state.get(key);
      try {
        if (entry) await this.state.update(key, encodeJson(record), entry.revision);
        else await this.state.create(key, encodeJson(record));
        return;
      } catch (error) {
        if (!(error instanceof KeyExistsError || error instanceof RevisionMismatchError)) throw error;
      }
    }
  }
}

class ShardCutter {
  readonly #imageBytes: number;
  readonly #buffer: Uint8Array;
  #filled = 0;
  readonly #shards: ImageShard__Output[] = [];

  constructor(
    private readonly blobs: Pick<BlobStore, 'put'>,
    private readonly shape: ImageShape,
  ) {
    this.#imageBytes = pixelsPerImage(shape);
    this.#buffer = new Uint8Array(imagesPerShard(shape) * this.#imageBytes);
  }

  async add(pixels: Uint8Array): Promise<void> {
    for (let at = 0; at < pixels.length;) {
      const taken = Math.min(pixels.length - at, this.#buffer.length - this.#filled);
      this.#buffer.set(pixels.subarray(at, at + taken), this.#filled);
      this.#filled += taken;
      at += taken;
      if (this.#filled === this.#buffer.length) await this.#flush();
    }
  }

  /** Whole ones so far. */
  get shards(): number {
    return this.#shards.length;
  }

  async finish(): Promise<ImageShard__Output[]> {
    if (this.#filled > 0) await this.#flush();
    return this.#shards;
  }

  async #flush(): Promise<void> {
    const count = this.#filled / this.#imageBytes;
    const pixels = this.#buffer.subarray(0, this.#filled);
    const blob = await this.blobs.put(encodeImages({ count, shape: this.shape, pixels }));
    this.#shards.push({ blob, images: count, shape: this.shape });
    this.#filled = 0;
  }
}

function checkHeader({ shape, classNames }: DatasetHeader, maxImageBytes: number): void {
  const { height, width, channels } = shape;
  const sideFits = (side: number) => side >= 1 && side <= MAX_IMAGE_SIDE_PIXELS;
  if (!sideFits(height) || !sideFits(width) || (channels !== 1 && channels !== 3)) {
    throw new InvalidArgumentError(
      `images of ${describeShape(shape)} can't be taken: sides are 1..${MAX_IMAGE_SIDE_PIXELS}, channels 1 or 3`,
      { code: 'BAD_SHAPE' },
    );
  }
  const imageBytes = pixelsPerImage(shape);
  if (imageBytes > maxImageBytes) {
    throw new InvalidArgumentError(
      `an image of ${describeShape(shape)} has ${imageBytes} bytes and a message carries ${maxImageBytes} of one at ` +
        'most: resize the images',
      { code: 'IMAGE_TOO_LARGE' },
    );
  }
  if (classNames.length > MAX_CLASS_NAMES || classNames.some((name) => name.length > MAX_CLASS_NAME_CHARACTERS)) {
    throw new InvalidArgumentError(
      `class names: at most ${MAX_CLASS_NAMES} of at most ${MAX_CLASS_NAME_CHARACTERS} characters`,
    );
  }
}

function checkLabels(labels: readonly number[], images: number, classNames: readonly string[]): readonly number[] {
  if (labels.length !== images) {
    throw new InvalidArgumentError(`a message carries ${images} images and ${labels.length} labels: send one each`);
  }
  const most = classNames.length > 0 ? classNames.length - 1 : MAX_CLASS_NAMES;
  const bad = labels.find((label) => label < -1 || label > most);
  if (bad !== undefined) {
    throw new InvalidArgumentError(`a label is ${bad}: labels are 0..${most}, or -1 where not known`, {
      code: 'LABEL_OUT_OF_RANGE',
    });
  }
  return labels;
}
