import { DataLossError, InvalidArgumentError } from './errors.js';
import { isJsonObject } from './json-object.js';

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
/** Longer ones are a sign of damage, or of what belongs into a tensor. */
const MAX_HEADER_BYTES = 1 << 20;
const METADATA = '__metadata__';

/**
 * Writes the safetensors format, so that shards and weights open in any language. Tensors are laid out by name:
 * the same content always gives the same bytes.
 * @throws InvalidArgumentError where data and shape don't fit, or the header is too long to be read again
 */
export function encodeTensors(file: TensorFile): Uint8Array {
  const entries: [string, unknown][] = [];
  const metadata = Object.entries(file.metadata).sort(byName);
  if (metadata.length > 0) entries.push([METADATA, Object.fromEntries(metadata)]);
  let offset = 0;
  const parts: Uint8Array[] = [];
  // Four-byte tensors first: every tensor then starts at a multiple of its element size.
  const ordered = Object.entries(file.tensors).sort(
    ([nameA, a], [nameB, b]) => BYTES_PER_ELEMENT[b.dtype] - BYTES_PER_ELEMENT[a.dtype] || (nameA < nameB ? -1 : 1),
  );
  for (const [name, { dtype, shape, data }] of ordered) {
    if (data.length !== elementsOf(shape)) {
      throw new InvalidArgumentError(`tensor ${name} [${shape.join(',')}] can't have ${data.length} elements`);
    }
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    entries.push([name, { dtype, shape, data_offsets: [offset, offset + bytes.length] }]);
    offset += bytes.length;
    parts.push(bytes);
  }
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(entries)));
  const paddedLength = Math.ceil(json.length / 8) * 8;
  if (paddedLength > MAX_HEADER_BYTES) {
    throw new InvalidArgumentError(
      `the names and metadata of ${ordered.length} tensors take ${paddedLength} bytes, more than ${MAX_HEADER_BYTES} ` +
        'that a header may have: keep what is long in tensors',
      { code: 'HEADER_TOO_LONG' },
    );
  }
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
  const header = parseHeader(bytes.subarray(8, 8 + headerLength));
  const payload = bytes.subarray(8 + headerLength);
  const located = Object.entries(header)
    .filter(([name]) => name !== METADATA)
    .map(([name, entry]) => ({ name, ...locate(name, entry) }))
    .sort((a, b) => a.begin - b.begin || a.end - b.end);
  let covered = 0;
  for (const { name, begin, end } of located) {
    // No holes and no overlaps, as the format demands: bytes that no tensor owns are a sign of a cut or a join.
    if (begin !== covered) throw damaged(`tensor ${name} begins at ${begin}, not at ${covered}`);
    covered = end;
  }
  if (covered !== payload.length) throw damaged(`its tensors take ${covered} bytes and ${payload.length} are there`);
  return {
    tensors: Object.fromEntries(located.map((tensor) => [tensor.name, copyTensor(tensor, payload)])),
    metadata: metadataOf(header[METADATA]),
  };
}

interface LocatedTensor {
  dtype: Dtype;
  shape: number[];
  begin: number;
  end: number;
}

function parseHeader(bytes: Uint8Array): Record<string, unknown> {
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw damaged('its header is not JSON', cause);
  }
  if (!isJsonObject(header)) throw damaged('its header is not a JSON object');
  return header;
}

function metadataOf(value: unknown): Record<string, string> {
  if (value === undefined) return {};
  if (!isJsonObject(value) || !Object.values(value).every((item) => typeof item === 'string')) {
    throw damaged('its metadata is not a map of texts');
  }
  return value as Record<string, string>;
}

function locate(name: string, entry: unknown): LocatedTensor {
  if (!isJsonObject(entry)) throw damaged(`tensor ${name} is not described`);
  const { dtype, shape, data_offsets: offsets } = entry;
  if (dtype !== 'U8' && dtype !== 'I32' && dtype !== 'F32') {
    throw damaged(`tensor ${name} is of dtype ${JSON.stringify(dtype)}`);
  }
  if (!isNaturals(shape) || !isNaturals(offsets) || offsets.length !== 2) throw damaged(`tensor ${name} has no shape`);
  const [begin, end] = offsets as [number, number];
  if (end - begin !== elementsOf(shape) * BYTES_PER_ELEMENT[dtype]) {
    throw damaged(`tensor ${name} [${shape.join(',')}] does not fit its bytes ${begin}..${end}`);
  }
  return { dtype, shape, begin, end };
}

function copyTensor({ dtype, shape, begin, end }: LocatedTensor, payload: Uint8Array): NamedTensor {
  const copy = payload.slice(begin, end);
  if (dtype === 'U8') return { dtype, shape, data: copy };
  const data = dtype === 'I32' ? new Int32Array(copy.buffer) : new Float32Array(copy.buffer);
  return { dtype, shape, data };
}

function elementsOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
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
