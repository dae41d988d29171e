import { DataLossError, encodeTensors, sha256Hex } from '@bbdistill/common';
import type { JobProgress } from '@bbdistill/common';
import { createEngine } from '@bbdistill/compute';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '@bbdistill/compute';
import { tinyImages } from '../../../test/helpers/tiny-images.js';
import { fitGenerator } from './fit.js';
import type { FitOptions } from './fit.js';
import { drawLatents, generateImages } from './generate.js';
import { decodeGenerator, encodeGenerator } from './generator.js';
import type { Generator } from './generator.js';

const options: FitOptions = { architecture: 'dense', epochs: 40, batch: 16, latent: 2, learningRate: 3e-3, seed: 5 };
const going = { signal: new AbortController().signal, progress: () => undefined };
let engine: Engine;
let fitted: { generator: Generator; epochLoss: number[] };

beforeAll(async () => {
  engine = await createEngine('wasm', 'never');
  fitted = await fitGenerator(engine, tinyImages(50), options, going);
});

async function drawn(count: number, seed = 9, generator = fitted.generator): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  await generateImages(engine, generator, count, seed, (pixels) => void pieces.push(pixels), going);
  return Buffer.concat(pieces);
}

describe('fit - learning', () => {
  it('lowers the loss from epoch to epoch', () => {
    expect(fitted.epochLoss).toHaveLength(40);
    expect(fitted.epochLoss.at(-1)!).toBeLessThan(fitted.epochLoss[0]! * 0.92);
  });

  it('learns the condition: class k is bright in its own band', async () => {
    const images = await drawn(300);
    for (let k = 0; k < 3; k++) {
      const bands = [0, 0, 0];
      for (let n = k; n < 300; n += 3) {
        for (let p = 0; p < 144; p++) bands[Math.floor((p % 12) / 4)]! += images[n * 144 + p]!;
      }
      expect(bands.indexOf(Math.max(...bands))).toBe(k);
    }
  });

  it('gives the same weights for the same seed and others for another', async () => {
    const few = { ...options, epochs: 2 };
    const weightsOf = async (seed: number) =>
      sha256Hex(encodeGenerator((await fitGenerator(engine, tinyImages(20), { ...few, seed }, going)).generator));
    const first = await weightsOf(1);
    expect(await weightsOf(1)).toEqual(first);
    expect(await weightsOf(2)).not.toEqual(first);
  });

  it('fits the convolutional CVAE on colour, keeps it and draws from it', async () => {
    const shape = { height: 8, width: 8, channels: 3 };
    const count = 24;
    const pixels = Uint8Array.from({ length: count * 192 }, (_, i) => (Math.floor(i / 192) % 3 === i % 3 ? 230 : 20));
    const targets = Float32Array.from({ length: count * 3 }, (_, i) => Number(Math.floor(i / 3) % 3 === i % 3));
    const colour = { count, shape, classes: 3, pixels, targets };
    const many = { ...options, architecture: 'auto', epochs: 30, batch: 8 } as const;
    const result = await fitGenerator(engine, colour, many, going);
    expect(result.generator.architecture).toEqual({ kind: 'convolutional', filters: [32, 64, 128], hidden: [32, 16] });
    expect(result.epochLoss.at(-1)!).toBeLessThan(result.epochLoss[0]! * 0.7);
    const images = await drawn(6, 9, decodeGenerator(encodeGenerator(result.generator)));
    for (let n = 0; n < 6; n++) {
      const means = [0, 1, 2].map((c) =>
        images.subarray(n * 192, (n + 1) * 192).reduce((sum, v, i) => sum + (i % 3 === c ? v : 0), 0),
      );
      expect(means.indexOf(Math.max(...means))).toBe(n % 3);
    }
    await expect(
      fitGenerator(engine, tinyImages(4), { ...options, architecture: 'convolutional' }, going),
    ).rejects.toThrow(/convolutional CVAE takes images whose edges are multiples of 8, .* not 12x12x1/);
  });

  it('takes fewer images than a batch', async () => {
    const result = await fitGenerator(engine, tinyImages(1), { ...options, epochs: 1 }, going);
    expect(Number.isFinite(result.epochLoss[0])).toBe(true);
  });
});

describe('fit - while it runs', () => {
  it('tells epochs and loss, and stops when it is cancelled', async () => {
    const stop = new AbortController();
    const told: JobProgress[] = [];
    const progress = (at: JobProgress) => {
      told.push(at);
      if (at.done === 3) stop.abort();
    };
    const fit = fitGenerator(engine, tinyImages(8), options, { signal: stop.signal, progress });
    await expect(fit).rejects.toMatchObject({ kind: 'cancelled' });
    expect(told.map(({ unit, done, total }) => [unit, done, total])).toEqual([
      ['epochs', 1, 40],
      ['epochs', 2, 40],
      ['epochs', 3, 40],
    ]);
    expect(told[0]!.loss).toBeGreaterThan(0);
  });

  it('fails a loss that is not a number with its step', async () => {
    const fit = fitGenerator(engine, tinyImages(8), { ...options, learningRate: 1e30 }, going);
    await expect(fit).rejects.toMatchObject({ code: 'NAN_LOSS' });
  });
});

describe('generate - latents', () => {
  it('alternate between normal and uniform within every class', () => {
    const latents = new Float32Array(6000 * 2);
    drawLatents(latents, 2, 3, 1, 0);
    for (let k = 0; k < 3; k++) {
      for (const [parity, variance] of [
        [0, 1],
        [1, 3],
      ] as const) {
        const values: number[] = [];
        for (let n = k + 3 * parity; n < 6000; n += 6) values.push(latents[2 * n]!, latents[2 * n + 1]!);
        expect(values.reduce((sum, z) => sum + z * z, 0) / values.length).toBeCloseTo(variance, 0);
        if (parity === 1) expect(Math.max(...values.map(Math.abs))).toBeLessThanOrEqual(3);
      }
    }
  });
});

describe('generate - images', () => {
  it('makes a smaller count a prefix of a larger one, also across shards', async () => {
    const large = await drawn(1100);
    expect((await drawn(1030)).equals(large.subarray(0, 1030 * 144))).toBe(true);
    expect((await drawn(7)).equals(large.subarray(0, 7 * 144))).toBe(true);
  });

  it('makes others with another seed', async () => {
    expect(await drawn(3, 10)).not.toEqual(await drawn(3, 9));
  });

  it('makes the same images from the stored generator', async () => {
    const stored = decodeGenerator(encodeGenerator(fitted.generator));
    expect(await drawn(5, 9, stored)).toEqual(await drawn(5));
  });
});

describe('generator - storing', () => {
  it('keeps the decoder alone', () => {
    const { weights, ...rest } = decodeGenerator(encodeGenerator(fitted.generator));
    expect(rest).toEqual({
      shape: { height: 12, width: 12, channels: 1 },
      classes: 3,
      latent: 2,
      architecture: { kind: 'dense', hidden: [256, 128, 64] },
    });
    expect(weights.length).toBeGreaterThan(0);
    expect(weights.every(({ name }) => name.startsWith('decoder/'))).toBe(true);
  });

  it('refuses a file of something else', () => {
    expect(() => decodeGenerator(encodeTensors({ metadata: {}, tensors: {} }))).toThrow(DataLossError);
  });
});
