import { redactSecrets } from '@bbdistill/common';
import { fromHalf } from '../half.js';
import type { ImageAnswer } from '../teacher.js';

/** The teacher answered, but not in a way that can be read. */
export const UNREADABLE = 'ANSWER_UNREADABLE';

/** Cuts a batched output into one raw answer per image. */
export function answerRows(values: Float32Array, count: number, shape: readonly number[]): ImageAnswer[] {
  const rows = shape[0] ?? 0;
  if (rows !== count || values.length === 0 || values.length % count !== 0) {
    return unreadable(count, `the teacher answered ${count} images with a tensor [${shape.join(',')}]`);
  }
  const length = values.length / count;
  return Array.from({ length: count }, (_, row) => ({
    ok: true,
    raw: values.slice(row * length, (row + 1) * length),
  }));
}

/** A whole batch without readable answers; the teacher did the work, so it is charged. */
export function unreadable(count: number, message: string): ImageAnswer[] {
  const safe = redactSecrets(message);
  return Array.from({ length: count }, () => ({ ok: false, code: UNREADABLE, message: safe, charged: true }));
}

/** Cuts strings into one raw answer per image: JSON text, read by the answer's form. */
export function answerStrings(strings: readonly string[], count: number, shape: readonly number[]): ImageAnswer[] {
  const rows = shape[0] ?? 0;
  if (rows !== count || strings.length === 0 || strings.length % count !== 0) {
    return unreadable(count, `the teacher answered ${count} images with a tensor [${shape.join(',')}] of strings`);
  }
  const length = strings.length / count;
  return Array.from({ length: count }, (_, row) => ({
    ok: true,
    raw: JSON.stringify(strings.slice(row * length, (row + 1) * length)),
  }));
}

/**
 * Elements of a BYTES tensor: each a length of 4 bytes, little-endian, and so many bytes.
 * @returns undefined where the lengths don't add up
 */
export function readByteStrings(bytes: Uint8Array): Uint8Array[] | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const elements: Uint8Array[] = [];
  let at = 0;
  while (at < bytes.length) {
    if (at + 4 > bytes.length) return undefined;
    const length = view.getUint32(at, true);
    at += 4;
    if (length > bytes.length - at) return undefined;
    elements.push(bytes.subarray(at, at + length));
    at += length;
  }
  return elements;
}

/** As {@link readByteStrings} reads them. */
export function writeByteStrings(elements: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(
    elements.flatMap((element) => {
      const length = Buffer.alloc(4);
      length.writeUInt32LE(element.length);
      return [length, element];
    }),
  );
}

const brainFloat = new DataView(new ArrayBuffer(4));

/** A bfloat16 is the upper half of a float32. */
function fromBrainFloat(bits: number): number {
  brainFloat.setUint32(0, bits << 16);
  return brainFloat.getFloat32(0);
}

/** Bytes of one value of a datatype of the Open Inference Protocol, and how to read it. */
const READERS: Record<string, { bytes: number; read: (view: DataView, at: number) => number }> = {
  FP32: { bytes: 4, read: (view, at) => view.getFloat32(at, true) },
  FP16: { bytes: 2, read: (view, at) => fromHalf(view.getUint16(at, true)) },
  BF16: { bytes: 2, read: (view, at) => fromBrainFloat(view.getUint16(at, true)) },
  BOOL: { bytes: 1, read: (view, at) => (view.getUint8(at) === 0 ? 0 : 1) },
  FP64: { bytes: 8, read: (view, at) => view.getFloat64(at, true) },
  INT8: { bytes: 1, read: (view, at) => view.getInt8(at) },
  INT16: { bytes: 2, read: (view, at) => view.getInt16(at, true) },
  INT32: { bytes: 4, read: (view, at) => view.getInt32(at, true) },
  INT64: { bytes: 8, read: (view, at) => Number(view.getBigInt64(at, true)) },
  UINT8: { bytes: 1, read: (view, at) => view.getUint8(at) },
  UINT16: { bytes: 2, read: (view, at) => view.getUint16(at, true) },
  UINT32: { bytes: 4, read: (view, at) => view.getUint32(at, true) },
  UINT64: { bytes: 8, read: (view, at) => Number(view.getBigUint64(at, true)) },
};

/**
 * Little-endian contents of a tensor.
 * @returns undefined where the datatype isn't numeric or the bytes are no whole number of values
 */
export function readRaw(bytes: Uint8Array, datatype: string): Float32Array | undefined {
  const reader = READERS[datatype];
  if (!reader || bytes.length % reader.bytes !== 0) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Float32Array.from({ length: bytes.length / reader.bytes }, (_, index) =>
    reader.read(view, index * reader.bytes),
  );
}
