import { unzipSync } from 'fflate';
import { ImageFileError, MAX_CLASSES, checkPixelBytes, checkShape } from './types.js';
import type { RawImages, ReadImagesOptions } from './types.js';

const MAX_HEADER_BYTES = 65_536;
const MAX_AXES = 8;
const MAX_LABELS = 100_000_000;
/** A float image whose greatest value lies between 1 and this may be on either scale. */
const AMBIGUOUS_BELOW = 2;

const IMAGE_ARRAYS = ['images', 'x', 'X', 'data', 'arr_0', 'x_train', 'X_train', 'train_images'];
const LABEL_ARRAYS = ['labels', 'y', 'Y', 'targets', 'arr_1', 'y_train', 'Y_train', 'train_labels'];

interface NpyArray {
  /** `u1`, `f4`, … */
  type: string;
  littleEndian: boolean;
  itemBytes: number;
  fortranOrder: boolean;
  shape: number[];
  data: Uint8Array;
}

function damaged(file: string, reason: string, code = 'IMAGE_DAMAGED'): ImageFileError {
  return new ImageFileError(file, reason, { code });
}

/** NPY of format version 1, 2 or 3. @throws ImageFileError */
function parseArray(file: string, bytes: Uint8Array): NpyArray {
  if (!isNpy(bytes)) throw damaged(file, 'wrong magic number; an NPY file begins with \\x93NUMPY', 'IMAGE_MAGIC');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const version = bytes[6] ?? 0;
  const lengthBytes = version === 1 ? 2 : 4;
  if (version < 1 || version > 3) throw damaged(file, `NPY format version ${version}; 1 to 3 are read`);
  if (bytes.length < 8 + lengthBytes) throw damaged(file, 'truncated inside the NPY header', 'IMAGE_TRUNCATED');
  const headerBytes = lengthBytes === 2 ? view.getUint16(8, true) : view.getUint32(8, true);
  const start = 8 + lengthBytes + headerBytes;
  if (headerBytes > MAX_HEADER_BYTES) throw damaged(file, `an NPY header of ${headerBytes} bytes`);
  if (bytes.length < start) throw damaged(file, 'truncated inside the NPY header', 'IMAGE_TRUNCATED');
  const header = Buffer.from(bytes.subarray(8 + lengthBytes, start)).toString('latin1');

  const descr = /'descr'\s*:\s*'([<>|=])([a-z])(\d{1,2})'/.exec(header);
  const order = /'fortran_order'\s*:\s*(True|False)/.exec(header);
  const tuple = /'shape'\s*:\s*\(([\d\s,L]*)\)/.exec(header);
  if (!descr || !order || !tuple) {
    throw damaged(file, `an NPY header that isn't a plain array: ${JSON.stringify(header.trim().slice(0, 120))}`);
  }
  const shape = tuple[1]!
    .split(',')
    .map((size) => size.replace('L', '').trim())
    .filter((size) => size !== '')
    .map(Number);
  if (shape.length > MAX_AXES || shape.some((size) => !Number.isSafeInteger(size))) {
    throw damaged(file, `an NPY shape of (${tuple[1]!.slice(0, 80)})`);
  }
  const itemBytes = Number(descr[3]);
  const items = shape.reduce((product, size) => product * size, 1);
  const data = bytes.subarray(start);
  if (data.length !== items * itemBytes) {
    throw damaged(
      file,
      `${data.length} data bytes where shape (${shape.join(', ')}) of ${itemBytes}-byte items needs ${items * itemBytes}`,
      data.length < items * itemBytes ? 'IMAGE_TRUNCATED' : 'IMAGE_TRAILING_BYTES',
    );
  }
  return {
    type: `${descr[2]}${descr[3]}`,
    littleEndian: descr[1] !== '>',
    itemBytes,
    fortranOrder: order[1] === 'True',
    shape,
    data,
  };
}

/** Where channels are, decided from the sizes alone only if they leave no doubt. */
function layoutOf(file: string, sizes: readonly number[], wish: ReadImagesOptions['layout']): 'NHW' | 'NHWC' | 'NCHW' {
  const named = `an array of shape (${sizes.join(', ')})`;
  if (sizes.length === 3) {
    if (sizes[2] === 3 || sizes[2] === 1) {
      throw damaged(file, `${named} may be one image or many; save it with four axes, N,H,W,C`, 'IMAGE_LAYOUT');
    }
    return 'NHW';
  }
  if (sizes.length !== 4) {
    throw damaged(file, `${named}; images are N,H,W or N,H,W,C or N,C,H,W: reshape it`, 'IMAGE_LAYOUT');
  }
  const last = sizes[3] === 1 || sizes[3] === 3;
  const second = sizes[1] === 1 || sizes[1] === 3;
  if (wish) {
    if (wish === 'NHWC' ? last : second) return wish;
    throw damaged(file, `${named} can't be ${wish}: channels must be 1 or 3`, 'IMAGE_LAYOUT');
  }
  if (last && second) throw damaged(file, `${named} may be NHWC or NCHW; say which with layout`, 'IMAGE_LAYOUT');
  if (last) return 'NHWC';
  if (second) return 'NCHW';
  const alpha = sizes[3] === 4 || sizes[1] === 4 ? ' (4 looks like an alpha channel: drop it first)' : '';
  throw damaged(file, `${named}: neither the second nor the last axis is 1 or 3 channels${alpha}`, 'IMAGE_LAYOUT');
}

type ReadItem = (index: number) => number;

function itemReader(array: NpyArray): ReadItem | undefined {
  const { data, littleEndian, itemBytes } = array;
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  switch (array.type) {
    case 'u1':
      return (i) => data[i]!;
    case 'i1':
      return (i) => view.getInt8(i);
    case 'u2':
      return (i) => view.getUint16(i * itemBytes, littleEndian);
    case 'i2':
      return (i) => view.getInt16(i * itemBytes, littleEndian);
    case 'u4':
      return (i) => view.getUint32(i * itemBytes, littleEndian);
    case 'i4':
      return (i) => view.getInt32(i * itemBytes, littleEndian);
    case 'u8':
      return (i) => Number(view.getBigUint64(i * itemBytes, littleEndian));
    case 'i8':
      return (i) => Number(view.getBigInt64(i * itemBytes, littleEndian));
    case 'f4':
      return (i) => view.getFloat32(i * itemBytes, littleEndian);
    case 'f8':
      return (i) => view.getFloat64(i * itemBytes, littleEndian);
    default:
      return undefined;
  }
}

/** Factor from the array's values to 0..255. */
function scaleOf(file: string, array: NpyArray, read: ReadItem, items: number): number {
  if (array.type === 'u1') return 1;
  let max = 0;
  for (let i = 0; i < items; i++) {
    const value = read(i);
    if (!(value >= 0) || value === Infinity) {
      throw damaged(file, `value ${value} at item ${i}; pixels are 0..1 or 0..255`, 'IMAGE_RANGE');
    }
    if (value > max) max = value;
  }
  if (max > 255) throw damaged(file, `values up to ${max}; pixels are 0..1 or 0..255`, 'IMAGE_RANGE');
  if (max > 1 && max < AMBIGUOUS_BELOW) {
    throw damaged(file, `values up to ${max}: neither clearly 0..1 nor 0..255; save it as uint8`, 'IMAGE_RANGE');
  }
  return max <= 1 ? 255 : 1;
}

/** Items of one step along each axis. */
function stridesOf(shape: readonly number[], fortranOrder: boolean): number[] {
  const strides = new Array<number>(shape.length).fill(1);
  if (fortranOrder) for (let a = 1; a < shape.length; a++) strides[a] = strides[a - 1]! * shape[a - 1]!;
  else for (let a = shape.length - 2; a >= 0; a--) strides[a] = strides[a + 1]! * shape[a + 1]!;
  return strides;
}

export function isNpy(bytes: Uint8Array): boolean {
  return bytes.length >= 6 && Buffer.from(bytes.subarray(0, 6)).toString('latin1') === '\x93NUMPY';
}

export function isZip(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && bytes[0] === 0x50 && bytes[1] === 0x4b && bytes[2] === 3 && bytes[3] === 4;
}

/**
 * uint8, or float (0..1 or 0..255, rounded); C or Fortran order; N,H,W, N,H,W,C or N,C,H,W.
 * @throws ImageFileError
 */
export function parseNpyImages(
  file: string,
  bytes: Uint8Array,
  maxPixelBytes: number,
  options: Pick<ReadImagesOptions, 'layout'> = {},
): RawImages {
  const array = parseArray(file, bytes);
  if (!['u1', 'f4', 'f8'].includes(array.type)) {
    throw damaged(
      file,
      `items of type ${array.type}; images are uint8, float32 or float64: convert first`,
      'IMAGE_TYPE',
    );
  }
  const layout = layoutOf(file, array.shape, options.layout);
  const axis = (letter: string) => layout.indexOf(letter);
  const size = (letter: string) => array.shape[axis(letter)] ?? 1;
  const count = size('N');
  const shape = { height: size('H'), width: size('W'), channels: size('C') };
  if (count === 0) throw damaged(file, 'holds no images', 'IMAGE_NONE');
  checkShape(file, shape);
  const total = checkPixelBytes(file, count, shape, maxPixelBytes);
  const read = itemReader(array)!;
  const scale = scaleOf(file, array, read, total);

  const plain = !array.fortranOrder && (layout !== 'NCHW' || shape.channels === 1);
  if (plain && array.type === 'u1') return { images: { count, shape, pixels: array.data }, notes: [] };
  const pixels = new Uint8Array(total);
  if (plain) {
    for (let i = 0; i < total; i++) pixels[i] = Math.round(read(i) * scale);
  } else {
    const strides = stridesOf(array.shape, array.fortranOrder);
    const [sn, sh, sw, sc] = ['N', 'H', 'W', 'C'].map((letter) => strides[axis(letter)] ?? 0) as [
      number,
      number,
      number,
      number,
    ];
    let to = 0;
    for (let n = 0; n < count; n++)
      for (let h = 0; h < shape.height; h++)
        for (let w = 0; w < shape.width; w++)
          for (let c = 0; c < shape.channels; c++)
            pixels[to++] = Math.round(read(n * sn + h * sh + w * sw + c * sc) * scale);
  }
  const notes =
    array.type === 'u1' ? [] : [`${file}: float values 0..${scale === 255 ? 1 : 255} were rounded to bytes`];
  return { images: { count, shape, pixels }, notes };
}

/** [N] or [N,1] of a whole-number type. @throws ImageFileError */
export function parseNpyLabels(file: string, bytes: Uint8Array): Int32Array {
  const array = parseArray(file, bytes);
  const read = itemReader(array);
  if (!read || array.type.startsWith('f')) {
    throw damaged(file, `labels of type ${array.type}; whole numbers are needed`, 'LABEL_TYPE');
  }
  const count = array.shape[0] ?? 0;
  const flat = array.shape.length === 1 || (array.shape.length === 2 && array.shape[1] === 1);
  if (!flat || count > MAX_LABELS) {
    throw damaged(file, `labels of shape (${array.shape.join(', ')}); one number per image is needed`, 'LABEL_SHAPE');
  }
  const labels = new Int32Array(count);
  for (let i = 0; i < count; i++) {
    const label = read(i);
    if (label < -1 || label >= MAX_CLASSES) {
      throw damaged(file, `label ${label} of image ${i} is out of range`, 'LABEL_RANGE');
    }
    labels[i] = label;
  }
  return labels;
}

/** Images, and labels where the archive has them. @throws ImageFileError */
export function parseNpz(
  file: string,
  bytes: Uint8Array,
  maxPixelBytes: number,
  options: Pick<ReadImagesOptions, 'layout' | 'arrays'> = {},
): RawImages {
  // Floats take up to 8 bytes a pixel before they are rounded.
  const maxArrayBytes = Math.min(maxPixelBytes * 8, 2 ** 31) + MAX_HEADER_BYTES;
  const entries = unpack(file, bytes, maxArrayBytes);
  const names = [...entries.keys()];
  const pick = (wanted: string | undefined, usual: readonly string[]) => {
    if (wanted !== undefined) {
      if (entries.has(wanted)) return wanted;
      throw damaged(file, `no array "${wanted}"; there are ${names.join(', ')}`, 'NPZ_ARRAY');
    }
    return usual.find((name) => entries.has(name));
  };
  const imagesName = pick(options.arrays?.images, IMAGE_ARRAYS) ?? (names.length === 1 ? names[0]! : undefined);
  if (imagesName === undefined) {
    throw damaged(
      file,
      `which array holds the images? There are ${names.slice(0, 20).join(', ') || 'none'}; say so with arrays`,
      'NPZ_ARRAY',
    );
  }
  const labelsName = options.arrays ? pick(options.arrays.labels, []) : pick(undefined, LABEL_ARRAYS);
  const read = parseNpyImages(`${file}/${imagesName}`, entries.get(imagesName)!, maxPixelBytes, options);
  if (labelsName === undefined) return read;
  return { ...read, labels: parseNpyLabels(`${file}/${labelsName}`, entries.get(labelsName)!) };
}

function unpack(file: string, bytes: Uint8Array, maxArrayBytes: number): Map<string, Uint8Array> {
  let total = 0;
  try {
    const files = unzipSync(bytes, {
      filter: (entry) => {
        if (!entry.name.endsWith('.npy')) return false;
        total += entry.originalSize;
        if (!(total <= maxArrayBytes)) {
          throw damaged(file, `unpacks to more than the ${maxArrayBytes} bytes allowed`, 'IMAGE_TOO_MANY_BYTES');
        }
        return true;
      },
    });
    return new Map(Object.entries(files).map(([name, data]) => [name.slice(0, -'.npy'.length), data]));
  } catch (cause) {
    if (cause instanceof ImageFileError) throw cause;
    throw new ImageFileError(file, 'the zip archive is truncated or damaged', { code: 'IMAGE_DAMAGED', cause });
  }
}
