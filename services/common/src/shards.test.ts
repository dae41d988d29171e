import { describe, expect, it } from 'vitest';
import { DataLossError } from './errors.js';
import { RandomStream } from './random.js';
import { decodeTensors, encodeTensors } from './safetensors.js';
import type { TensorFile } from './safetensors.js';
import {
  decodeAnswers,
  decodeImages,
  decodeLabels,
  describeShape,
  encodeAnswers,
  encodeImages,
  encodeLabels,
  imagesPerShard,
} from './shards.js';

const FILE: TensorFile = {
  metadata: { network: 'lenet5', classes: '10' },
  tensors: {
    weights: { dtype: 'F32', shape: [2, 3], data: Float32Array.of(1, -2, 0.5, Infinity, -0, 1e-45) },
    labels: { dtype: 'I32', shape: [3], data: Int32Array.of(-1, 0, 2 ** 31 - 1) },
    images: { dtype: 'U8', shape: [1, 1, 3, 1], data: Uint8Array.of(0, 127, 255) },
    scalar: { dtype: 'F32', shape: [], data: Float32Array.of(7) },
    empty: { dtype: 'U8', shape: [0, 4], data: new Uint8Array() },
  },
};

/** A file with this header, written as it is, and so many payload bytes. */
function fileWith(header: string | Uint8Array, payloadBytes: number): Uint8Array {
  const json = typeof header === 'string' ? new TextEncoder().encode(header) : header;
  const bytes = new Uint8Array(8 + json.length + payloadBytes);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  return bytes;
}

const tensor = (shape: unknown, offsets: unknown, dtype: unknown = 'U8') =>
  JSON.stringify({ t: { dtype, shape, data_offsets: offsets } });

describe('safetensors', () => {
  it('safetensors - a file makes the round trip', () => {
    expect(decodeTensors(encodeTensors(FILE))).toEqual(FILE);
    expect(decodeTensors(encodeTensors({ tensors: {}, metadata: {} }))).toEqual({ tensors: {}, metadata: {} });
  });

  it('safetensors - the same content gives the same bytes, in whatever order it is given', () => {
    const reversed = <T>(record: Record<string, T>) => Object.fromEntries(Object.entries(record).reverse());
    const other = { metadata: reversed(FILE.metadata), tensors: reversed(FILE.tensors) };
    expect(encodeTensors(other)).toEqual(encodeTensors(FILE));
  });

  it('safetensors - a header that could not be read again is not written', () => {
    const headerOf = (length: number) => encodeTensors({ tensors: {}, metadata: { long: 'x'.repeat(length) } });
    const most = 2 ** 20 - '{"__metadata__":{"long":""}}'.length;
    expect(decodeTensors(headerOf(most)).metadata['long']).toHaveLength(most);
    expect(() => headerOf(most + 1)).toThrow(
      expect.objectContaining({
        code: 'HEADER_TOO_LONG',
        message: expect.stringMatching(/take 1048584 bytes/) as unknown,
      }) as Error,
    );
  });

  it('safetensors - the layout is the published one', () => {
    const bytes = encodeTensors(FILE);
    const headerLength = Number(new DataView(bytes.buffer).getBigUint64(0, true));
    expect(headerLength % 8).toBe(0);
    const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + headerLength))) as Record<
      string,
      { dtype: string; shape: number[]; data_offsets: [number, number] }
    >;
    const { dtype, shape, data_offsets: offsets } = header['weights']!;
    expect([dtype, shape, (offsets[1] - offsets[0]) / 4]).toEqual(['F32', [2, 3], 6]);
    expect(new DataView(bytes.buffer, 8 + headerLength + offsets[0]).getFloat32(4, true)).toBe(-2);
    expect(header['__metadata__']).toEqual(FILE.metadata);
  });

  it('safetensors - what was read is a copy, also from an unaligned view', () => {
    const bytes = encodeTensors(FILE);
    const shifted = new Uint8Array(bytes.length + 3);
    shifted.set(bytes, 3);
    const read = decodeTensors(shifted.subarray(3));
    shifted.fill(0);
    expect(read).toEqual(FILE);
  });

  it('safetensors - a name like __proto__ is a name', () => {
    const tensors = Object.fromEntries([['__proto__', { dtype: 'U8' as const, shape: [1], data: Uint8Array.of(3) }]]);
    const read = decodeTensors(encodeTensors({ tensors, metadata: {} }));
    expect(Object.keys(read.tensors)).toEqual(['__proto__']);
  });

  it('safetensors - data that does not fit its shape is not written', () => {
    const tensors = { t: { dtype: 'U8' as const, shape: [2, 2], data: Uint8Array.of(1, 2, 3) } };
    expect(() => encodeTensors({ tensors, metadata: {} })).toThrow(/t \[2,2\] can't have 3 elements/);
  });

  it.each<[string, Uint8Array, RegExp]>([
    ['an empty file', new Uint8Array(), /0 bytes/],
    ['half a length field', new Uint8Array(7), /7 bytes/],
    ['a header beyond the end', fileWith('{}', 0).subarray(0, 9), /header claims 2 bytes/],
    ['an enormous header', new Uint8Array(8).fill(255), /header claims/],
    ['a header that is not JSON', fileWith('{', 0), /not JSON/],
    ['a header that is not UTF-8', fileWith(Uint8Array.of(0x22, 0xff, 0x22), 0), /not JSON/],
    ['a header that is null', fileWith('null', 0), /not a JSON object/],
    ['a header that is a list', fileWith('[]', 0), /not a JSON object/],
    ['metadata that is a number', fileWith('{"__metadata__":1}', 0), /metadata/],
    ['metadata that holds a number', fileWith('{"__metadata__":{"a":1}}', 0), /metadata/],
    ['a tensor that is null', fileWith('{"t":null}', 0), /t is not described/],
    ['a dtype nobody knows', fileWith(tensor([1], [0, 1], 'F16'), 1), /dtype "F16"/],
    ['no dtype', fileWith('{"t":{"shape":[1],"data_offsets":[0,1]}}', 1), /dtype undefined/],
    ['a negative size', fileWith(tensor([-1], [0, 1]), 1), /no shape/],
    ['a broken size', fileWith(tensor([1.5], [0, 1]), 1), /no shape/],
    ['one offset', fileWith(tensor([1], [0]), 1), /no shape/],
    ['offsets the wrong way round', fileWith(tensor([1], [1, 0]), 1), /does not fit/],
    ['a shape too large for its bytes', fileWith(tensor([2 ** 40, 2 ** 40], [0, 1]), 1), /does not fit/],
    ['a payload cut off', fileWith(tensor([4], [0, 4]), 3), /take 4 bytes and 3 are there/],
    ['a payload too long', fileWith(tensor([4], [0, 4]), 5), /take 4 bytes and 5 are there/],
    ['a hole before the first tensor', fileWith(tensor([1], [1, 2]), 2), /begins at 1, not at 0/],
    [
      'tensors over each other',
      fileWith(
        '{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}',
        3,
      ),
      /b begins at 1, not at 2/,
    ],
  ])('safetensors - %s is refused with the reason', (_name, bytes, reason) => {
    expect(() => decodeTensors(bytes)).toThrow(DataLossError);
    expect(() => decodeTensors(bytes)).toThrow(reason);
  });

  it('safetensors - cut anywhere, it is refused', () => {
    const bytes = encodeTensors(FILE);
    for (let length = 0; length < bytes.length; length++) {
      expect(() => decodeTensors(bytes.subarray(0, length))).toThrow(DataLossError);
    }
  });
});

describe('shards', () => {
  const images = {
    count: 2,
    shape: { height: 2, width: 3, channels: 1 },
    pixels: Uint8Array.from({ length: 12 }, (_, i) => i),
  };
  const answers = { count: 2, classes: 2, targets: Float32Array.of(0.25, 0.75, 0, 0), answered: Uint8Array.of(1, 0) };

  it('shards - images, answers and labels make the round trip', () => {
    expect(decodeImages(encodeImages(images))).toEqual(images);
    expect(decodeAnswers(encodeAnswers(answers))).toEqual(answers);
    expect(decodeLabels(encodeLabels(Int32Array.of(-1, 3)))).toEqual(Int32Array.of(-1, 3));
    expect(describeShape(images.shape)).toBe('2x3x1');
  });

  it('shards - one kind is not taken for another', () => {
    expect(() => decodeImages(encodeAnswers(answers))).toThrow(/no tensor "images" of U8 with 4 axes/);
    expect(() => decodeAnswers(encodeImages(images))).toThrow(/no tensor "targets" of F32 with 2 axes/);
    expect(() => decodeLabels(encodeImages(images))).toThrow(/no tensor "labels" of I32 with 1 axes/);
  });

  it('shards - a wrong dtype or rank under the right name is refused', () => {
    const wrong = (data: Uint8Array | Int32Array, dtype: 'U8' | 'I32', shape: number[]) =>
      encodeTensors({ metadata: {}, tensors: { images: { dtype, shape, data } } });
    expect(() => decodeImages(wrong(new Int32Array(4), 'I32', [1, 2, 2, 1]))).toThrow(DataLossError);
    expect(() => decodeImages(wrong(new Uint8Array(4), 'U8', [1, 4]))).toThrow(DataLossError);
    expect(() => decodeImages(wrong(new Uint8Array(), 'U8', [1, 0, 4, 1]))).toThrow(/0x4x1/);
  });

  it('shards - more flags than targets are refused', () => {
    const bytes = encodeTensors({
      metadata: {},
      tensors: {
        targets: { dtype: 'F32', shape: [2, 2], data: answers.targets },
        answered: { dtype: 'U8', shape: [3], data: Uint8Array.of(1, 0, 1) },
      },
    });
    expect(() => decodeAnswers(bytes)).toThrow(/2 targets and 3 flags/);
  });

  it('shards - 1000 damaged inputs are read or refused, never anything else', () => {
    const good = [encodeImages(images), encodeAnswers(answers), encodeLabels(Int32Array.of(1)), encodeTensors(FILE)];
    let refused = 0;
    for (let round = 0; round < 1000; round++) {
      const random = new RandomStream(1, 'fuzz', round);
      const bytes = damage(good[round % good.length]!, random);
      for (const decode of [decodeTensors, decodeImages, decodeAnswers, decodeLabels]) {
        try {
          decode(bytes);
        } catch (error) {
          if (!(error instanceof DataLossError)) throw new Error(`round ${round} of ${decode.name}`, { cause: error });
          refused++;
        }
      }
    }
    expect(refused).toBeGreaterThan(1000);
  });
});

/** Some bytes changed, most of them in the header, then perhaps a piece cut out or doubled. */
function damage(original: Uint8Array, random: RandomStream): Uint8Array {
  const bytes = original.slice();
  const changes = random.integer(6);
  for (let change = 0; change < changes; change++) {
    const at = random.integer(random.uniform() < 0.8 ? Math.min(bytes.length, 120) : bytes.length);
    const printable = '0123456789-.,:[]{}"eE_ nulltrufas';
    bytes[at] = random.uniform() < 0.7 ? printable.charCodeAt(random.integer(printable.length)) : random.integer(256);
  }
  const at = random.integer(bytes.length);
  const kind = random.integer(4);
  if (kind === 0) return bytes.subarray(0, at);
  if (kind === 1) return Uint8Array.from([...bytes.subarray(0, at), ...bytes.subarray(Math.min(at + 5, bytes.length))]);
  if (kind === 2) return Uint8Array.from([...bytes, ...bytes.subarray(at)]);
  return bytes;
}

describe('imagesPerShard', () => {
  it.each([
    [28, 1, 1024],
    [32, 3, 1024],
    [128, 3, 1024],
    [256, 1, 1024],
    [256, 3, 341],
    [1024, 3, 21],
    [4096, 3, 1],
    [8192, 3, 1],
  ])('a side of %i pixels and %i channels - %i images fill a shard', (side, channels, images) => {
    expect(imagesPerShard({ height: side, width: side, channels })).toBe(images);
  });
});
