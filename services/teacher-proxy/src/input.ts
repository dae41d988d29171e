import { InvalidArgumentError, describeShape, pixelsPerImage } from '@bbdistill/common';
import type { ImageBatch, ImageShape } from '@bbdistill/common';
import { fromHalf, toHalf } from './half.js';

export type Layout = 'NHWC' | 'NCHW';
export type Datatype = 'FP32' | 'FP16' | 'UINT8';

/** How uint8 pixels become what a teacher takes: value = (pixel · scale − mean) / std, channel by channel. */
export interface InputForm {
  layout: Layout;
  datatype: Datatype;
  scale: number;
  /** One value, or one a channel. */
  mean: readonly number[];
  std: readonly number[];
  /** What the teacher wants; absent: as the images are. */
  size?: { height: number; width: number };
  channels?: number;
}

export interface EncodedImages {
  count: number;
  /** With the batch axis first. */
  dims: readonly [number, number, number, number];
  bytesPerImage: number;
  /** Little-endian, image after image. */
  bytes: Uint8Array;
}

// Rec. 601 luma, what image libraries use to make grey from RGB.
const LUMA = [0.299, 0.587, 0.114] as const;
const BYTES_PER_VALUE: Record<Datatype, number> = { FP32: 4, FP16: 2, UINT8: 1 };

const ARRAY_OF = { FP32: Float32Array, FP16: Uint16Array, UINT8: Uint8Array };

/** The shape that the teacher sees for images of the given shape. */
export function inputShape(form: InputForm, images: ImageShape): ImageShape {
  return {
    height: form.size?.height ?? images.height,
    width: form.size?.width ?? images.width,
    channels: form.channels ?? images.channels,
  };
}

/**
 * The tensor that is sent. A pure function of the pixels and the form: the cache key is made of its bytes.
 * @throws InvalidArgumentError where the pixels don't fill the shape or mean and std don't fit the channels
 */
export function encodeInput(form: InputForm, images: ImageBatch): EncodedImages {
  const { count, pixels } = images;
  if (pixels.length !== count * pixelsPerImage(images.shape)) {
    throw new InvalidArgumentError(
      `${count} images of ${describeShape(images.shape)} have ${count * pixelsPerImage(images.shape)} bytes, ` +
        `but ${pixels.length} were given`,
      { code: 'IMAGE_BYTES' },
    );
  }
  const shape = inputShape(form, images.shape);
  const fitted = fitPixels(images, shape);
  const { height, width, channels } = shape;
  const area = height * width;
  const valuesPerImage = area * channels;
  const dims: EncodedImages['dims'] =
    form.layout === 'NHWC' ? [count, height, width, channels] : [count, channels, height, width];
  // Bytes in the order in which they lie already: no work for every cached image.
  if (form.datatype === 'UINT8' && (form.layout === 'NHWC' || channels === 1)) {
    return { count, dims, bytesPerImage: valuesPerImage, bytes: fitted };
  }
  const tables = Array.from({ length: channels }, (_, channel) => valueTable(form, channel, channels));
  const values = new ARRAY_OF[form.datatype](count * valuesPerImage);
  for (let image = 0; image < count; image++) {
    const base = image * valuesPerImage;
    for (let channel = 0; channel < channels; channel++) {
      const table = tables[channel]!;
      const outStart = form.layout === 'NHWC' ? base + channel : base + channel * area;
      const outStep = form.layout === 'NHWC' ? channels : 1;
      for (let at = 0; at < area; at++) {
        values[outStart + at * outStep] = table[fitted[base + at * channels + channel]!]!;
      }
    }
  }
  return {
    count,
    dims,
    bytesPerImage: valuesPerImage * BYTES_PER_VALUE[form.datatype],
    bytes: new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
  };
}

/** The values of an encoded tensor as plain numbers, for protocols that write them as text. */
export function encodedValues({ bytes }: EncodedImages, datatype: Datatype): number[] {
  const view = new ARRAY_OF[datatype](
    bytes.buffer as ArrayBuffer,
    bytes.byteOffset,
    bytes.length / BYTES_PER_VALUE[datatype],
  );
  return datatype === 'FP16' ? Array.from(view, fromHalf) : Array.from(view);
}

/** The value of each of the 256 pixel levels: one look-up a pixel instead of three operations. */
function valueTable(form: InputForm, channel: number, channels: number): Float32Array | Uint16Array | Uint8Array {
  if (form.datatype === 'UINT8') return Uint8Array.from({ length: 256 }, (_, level) => level);
  const mean = perChannel(form.mean, channel, channels, 'mean');
  const std = perChannel(form.std, channel, channels, 'std');
  const table = Float32Array.from({ length: 256 }, (_, level) => (level * form.scale - mean) / std);
  return form.datatype === 'FP16' ? Uint16Array.from(table, toHalf) : table;
}

function perChannel(values: readonly number[], channel: number, channels: number, key: string): number {
  if (values.length !== 1 && values.length !== channels) {
    throw new InvalidArgumentError(
      `input.${key} has ${values.length} values, but the teacher gets images of ${channels} channels: give one value or ${channels}`,
      { code: 'INPUT_FORM' },
    );
  }
  return values.length === 1 ? values[0]! : values[channel]!;
}

/** uint8 [N,H,W,C] in the shape that the teacher wants. */
function fitPixels(images: ImageBatch, wanted: ImageShape): Uint8Array {
  const recoloured = recolour(images, wanted.channels);
  if (images.shape.height === wanted.height && images.shape.width === wanted.width) return recoloured;
  return resize(recoloured, images.count, { ...images.shape, channels: wanted.channels }, wanted);
}

function recolour(images: ImageBatch, channels: number): Uint8Array {
  const from = images.shape.channels;
  if (from === channels) return images.pixels;
  const area = images.count * images.shape.height * images.shape.width;
  const result = new Uint8Array(area * channels);
  if (from === 1) {
    for (let at = 0; at < area; at++) result.fill(images.pixels[at]!, at * channels, (at + 1) * channels);
    return result;
  }
  if (from === 3 && channels === 1) {
    for (let at = 0; at < area; at++) {
      let grey = 0;
      for (let channel = 0; channel < 3; channel++) grey += LUMA[channel]! * images.pixels[at * 3 + channel]!;
      result[at] = Math.round(grey);
    }
    return result;
  }
  throw new InvalidArgumentError(
    `images of ${describeShape(images.shape)} can't be shown to a teacher of ${channels} channels: only 1 and 3 convert`,
    { code: 'INPUT_FORM' },
  );
}

/** Bilinear, pixel centres aligned. */
function resize(pixels: Uint8Array, count: number, from: ImageShape, to: ImageShape): Uint8Array {
  const { channels } = from;
  const rows = samplePoints(from.height, to.height);
  const columns = samplePoints(from.width, to.width);
  const result = new Uint8Array(count * pixelsPerImage(to));
  let out = 0;
  for (let image = 0; image < count; image++) {
    const base = image * pixelsPerImage(from);
    for (const row of rows) {
      const above = base + row.low * from.width * channels;
      const below = base + row.high * from.width * channels;
      for (const column of columns) {
        for (let channel = 0; channel < channels; channel++) {
          const left = column.low * channels + channel;
          const right = column.high * channels + channel;
          const top = pixels[above + left]! * (1 - column.part) + pixels[above + right]! * column.part;
          const bottom = pixels[below + left]! * (1 - column.part) + pixels[below + right]! * column.part;
          result[out++] = Math.round(top * (1 - row.part) + bottom * row.part);
        }
      }
    }
  }
  return result;
}

function samplePoints(from: number, to: number): { low: number; high: number; part: number }[] {
  return Array.from({ length: to }, (_, index) => {
    const at = Math.min(from - 1, Math.max(0, ((index + 0.5) * from) / to - 0.5));
    const low = Math.floor(at);
    return { low, high: Math.min(from - 1, low + 1), part: at - low };
  });
}
