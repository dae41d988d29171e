import { DataLossError } from './errors.js';

export type Dtype = 'U8' | 'I32' | 'F32';

export interface NamedTensor {
  dtype: Dtype;
  shape: readonly number[];
  /** Row-major, one element per value. */
  data: Uint8Array | Int32Array | Float32Array;
}

export interface TensorFile {
  tensors: Record<string, NamedTensor>;
  metadata: Record<string, string>;
}

const BYTES_PER_ELEMENT: Record<Dtype, number> = { U8: 1, I32: 4, F32: 4 };
const MAX_HEADER_BYTES = 1 << 20;

/**
 * Writes the safetensors format, so that shards and weights open in any language. Tensors are laid out by name:
 * the same content always gives the same bytes.
 */
export function encodeTensors(file: TensorFile): Uint8Array {
  const header: Record<string, unknown> = {};
  const metadata = Object.fromEntries(Object.entries(file.metadata).sort(byName));
  if (Object.keys(metadata).length > 0) header['__metadata__'] = metadata;
  let offset = 0;
  const parts: Uint8Array[] = [];
  // Four-byte tensors first: every tensor then starts at a multiple of its element size.
  const ordered = Object.entries(file.tensors).sort(
    ([nameA, a], [nameB, b]) => BYTES_PER_ELEMENT[b.dtype] - BYTES_PER_ELEMENT[a.dtype] || (nameA < nameB ? -1 : 1),
  );
  for (const [name, { dtype, shape, data }] of ordered) {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    header[name] = { dtype, shape, data_offsets: [offset, offset + bytes.length] };
    offset += bytes.length;
    parts.push(bytes);
  }
  const json = new TextEncoder().encode(JSON.stringify(header));
  const paddedLength = Math.ceil(json.length / 8) * 8;
  const result = new Uint8Array(8 + paddedLength + offset);
  new DataView(result.buffer).setBigUint64(0, BigInt(paddedLength), true);
  result.fill(0x20, 8, 8 + paddedLength);
  result.set(json, 8);
  let at = 8 + paddedLength;
  for (const part of parts) {
    result.set(part, at);
    at += part.length;
  }
  return result;
}

/**
 * Reads a safetensors file of the dtypes above. The tensors are copies.
 * @throws DataLossError naming what is wrong with the file
 */
export function decodeTensors(bytes: Uint8Array): TensorFile {
  if (bytes.length < 8) throw damaged(`it has ${bytes.length} bytes, fewer than its length field`);
  const headerLength = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  if (headerLength > MAX_HEADER_BYTES || 8 + headerLength > bytes.length) {
    throw damaged(`its header claims ${headerLength} bytes of ${bytes.length}`);
  }
  let header: Record<string, unknown>;
  try {
    header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + headerLength))) as Record<string, unknown>;
  } catch (cause) {
    throw damaged('its header is not JSON', cause);
  }
  const payload = bytes.subarray(8 + headerLength);
  const tensors: Record<string, NamedTensor> = {};
  let metadata: Record<string, string> = {};
  for (const [name, entry] of Object.entries(header)) {
    if (name === '__metadata__') metadata = entry as Record<string, string>;
    else tensors[name] = decodeTensor(name, entry, payload);
  }
  return { tensors, metadata };
}

function decodeTensor(name: string, entry: unknown, payload: Uint8Array): NamedTensor {
  const { dtype, shape, data_offsets: offsets } = (entry ?? {}) as Record<string, unknown>;
  if (dtype !== 'U8' && dtype !== 'I32' && dtype !== 'F32')
    throw damaged(`tensor ${name} is of dtype ${String(dtype)}`);
  if (!isNaturals(shape) || !isNaturals(offsets) || offsets.length !== 2) throw damaged(`tensor ${name} has no shape`);
  const [begin, end] = offsets as [number, number];
  const elements = shape.reduce((product, size) => product * size, 1);
  if (end > payload.length || end - begin !== elements * BYTES_PER_ELEMENT[dtype]) {
    throw damaged(`tensor ${name} [${shape.join(',')}] does not fit its bytes ${begin}..${end} of ${payload.length}`);
  }
  const copy = payload.slice(begin, end);
  if (dtype === 'U8') return { dtype, shape, data: copy };
  const data = dtype === 'I32' ? new Int32Array(copy.buffer) : new Float32Array(copy.buffer);
  return { dtype, shape, data };
}

function isNaturals(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && (item as number) >= 0);
}

function byName([a]: [string, unknown], [b]: [string, unknown]): number {
  return a < b ? -1 : 1;
}

function damaged(what: string, cause?: unknown): DataLossError {
  return new DataLossError(`this is not a whole safetensors file: ${what}`, { code: 'SHARD_DAMAGED', cause });
}
