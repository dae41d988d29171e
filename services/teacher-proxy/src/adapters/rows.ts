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
  return Array.from({ length: count }, () => ({ ok: false, code: UNREADABLE, message, charged: true }));
}

/** Bytes of one value of a datatype of the Open Inference Protocol, and how to read it. */
const READERS: Record<string, { bytes: number; read: (view: DataView, at: number) => number }> = {
  FP32: { bytes: 4, read: (view, at) => view.getFloat32(at, true) },
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
