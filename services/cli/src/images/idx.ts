import { gunzipExactly, gunzipHead, isGzip } from './bytes.js';
import { ImageFileError, MAX_CLASSES, checkPixelBytes, checkShape } from './types.js';
import type { RawImages } from './types.js';

/** Type byte of unsigned 8-bit data, the only one that images and labels use. */
const UINT8 = 0x08;

interface IdxHeader {
  sizes: number[];
  headerBytes: number;
}

function readHeader(file: string, bytes: Uint8Array): IdxHeader {
  if (bytes.length < 4 || bytes[0] !== 0 || bytes[1] !== 0) {
    const first = Buffer.from(bytes.subarray(0, 4)).toString('hex');
    throw new ImageFileError(file, `wrong magic number 0x${first}; an IDX file begins with 0x0000`, {
      code: 'IMAGE_MAGIC',
    });
  }
  if (bytes[2] !== UINT8) {
    throw new ImageFileError(file, `IDX data type 0x${bytes[2]!.toString(16)}; only unsigned bytes (0x08) are read`, {
      code: 'IMAGE_MAGIC',
    });
  }
  const rank = bytes[3]!;
  const headerBytes = 4 + 4 * rank;
  if (rank > 4) throw new ImageFileError(file, `IDX data of ${rank} axes`, { code: 'IMAGE_MAGIC' });
  if (bytes.length < headerBytes) {
    throw new ImageFileError(file, 'truncated inside the IDX header', { code: 'IMAGE_TRUNCATED' });
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return { sizes: Array.from({ length: rank }, (_, axis) => view.getUint32(4 + 4 * axis)), headerBytes };
}

function content(file: string, bytes: Uint8Array, header: IdxHeader, dataBytes: number): Uint8Array {
  const expected = header.headerBytes + dataBytes;
  const unpacked = isGzip(bytes) ? gunzipExactly(file, bytes, expected) : bytes;
  if (unpacked.length !== expected) {
    throw new ImageFileError(
      file,
      `${unpacked.length} bytes where the header (${header.sizes.join(' x ')}) needs ${expected}; fetch the file again`,
      { code: unpacked.length < expected ? 'IMAGE_TRUNCATED' : 'IMAGE_TRAILING_BYTES' },
    );
  }
  return unpacked.subarray(header.headerBytes);
}

/** [N,H,W] or [N,H,W,C], plain or gzip. @throws ImageFileError */
export function parseIdxImages(file: string, bytes: Uint8Array, maxPixelBytes: number): RawImages {
  const header = readHeader(file, isGzip(bytes) ? gunzipHead(file, bytes) : bytes);
  const [count = 0, height = 0, width = 0, channels = 1] = header.sizes;
  if (header.sizes.length < 3) {
    throw new ImageFileError(
      file,
      `IDX data of ${header.sizes.length} axes where images have 3 or 4; is this the label file?`,
      { code: 'IMAGE_MAGIC' },
    );
  }
  const shape = { height, width, channels };
  if (count === 0) throw new ImageFileError(file, 'holds no images', { code: 'IMAGE_NONE' });
  checkShape(file, shape);
  const pixels = content(file, bytes, header, checkPixelBytes(file, count, shape, maxPixelBytes));
  return { images: { count, shape, pixels }, notes: [] };
}

/** [N] classes, plain or gzip. @throws ImageFileError */
export function parseIdxLabels(file: string, bytes: Uint8Array): Int32Array {
  const header = readHeader(file, isGzip(bytes) ? gunzipHead(file, bytes) : bytes);
  if (header.sizes.length !== 1) {
    throw new ImageFileError(
      file,
      `IDX data of ${header.sizes.length} axes where labels have 1; is this the image file?`,
      { code: 'IMAGE_MAGIC' },
    );
  }
  const count = header.sizes[0]!;
  checkPixelBytes(file, count, { height: 1, width: 1, channels: 1 }, MAX_CLASSES * 4096);
  return Int32Array.from(content(file, bytes, header, count));
}

/** The usual names of the label file that belongs to an image file, best first; plain and gzip of each. */
export function labelFileNames(imageFileName: string): string[] {
  const plain = imageFileName.replace(/\.gz$/, '');
  const renamed = [
    plain.replace(/images([.-])idx3/, 'labels$1idx1'),
    plain.replace(/images([.-])idx4/, 'labels$1idx1'),
    plain.replace(/images/, 'labels'),
    plain.replace(/^x(?=[._-])/i, (letter) => (letter === 'x' ? 'y' : 'Y')),
  ];
  const names = renamed.filter((name) => name !== plain).flatMap((name) => [name, `${name}.gz`]);
  return [...new Set(names)];
}
