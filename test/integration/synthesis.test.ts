import { connect, silentLogger } from '@bbdistill/common';
import type { BlobStore, ServiceClient } from '@bbdistill/common';
import type { FitResult__Output } from '@bbdistill/common/gen/bbdistill/v1/FitResult.js';
import type { GenerateResult__Output } from '@bbdistill/common/gen/bbdistill/v1/GenerateResult.js';
import type { MixRequest } from '@bbdistill/common/gen/bbdistill/v1/MixRequest.js';
import type { MixResult__Output } from '@bbdistill/common/gen/bbdistill/v1/MixResult.js';
import { readImages } from '@bbdistill/compute';
import { startSynthesis } from '@bbdistill/synthesis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { resultOf, temporaryStores } from '../helpers/embedded.js';
import type { TemporaryStores } from '../helpers/embedded.js';
import { storeLabelled, tinyImages } from '../helpers/tiny-images.js';

const SERVICE = 'bbdistill.v1.SynthesisService';
let temporary: TemporaryStores;
let blobs: BlobStore;
let running: Awaited<ReturnType<typeof startSynthesis>>;
let client: ServiceClient<typeof SERVICE>;
let data: Awaited<ReturnType<typeof storeLabelled>>;

beforeAll(async () => {
  temporary = await temporaryStores();
  blobs = temporary.stores.blobs;
  running = await startSynthesis({
    stores: temporary.stores,
    address: '127.0.0.1:0',
    logger: silentLogger,
    engine: 'wasm',
  });
  client = connect(SERVICE, running.address);
  data = await storeLabelled(blobs, tinyImages(30), { perShard: 16, unanswered: [4] });
});

afterAll(async () => {
  client.close();
  await running.stop();
  await temporary[Symbol.asyncDispose]();
});

const cvae = { architecture: 'dense', epochs: 3, batch: 8, latent: 2, learningRate: 1e-3 };
const mix = (change: MixRequest = {}): MixRequest => ({
  images: data.map(({ images }) => images),
  count: 1100,
  alpha: 1,
  dropBelow: 0.05,
  mixupShare: 1,
  seed: 1,
  ...change,
});

describe('synthesis - jobs over gRPC', () => {
  it('mixes, fits and generates what the few images lack', async () => {
    const mixJob = await client.unary('SubmitMix', mix());
    const fitJob = await client.unary('SubmitFit', { data, classes: 3, cvae, seed: 1, engine: 'auto' });
    const mixed = await resultOf<MixResult__Output>(client.serverStream('WatchJob', { id: mixJob.id }));
    const fitted = await resultOf<FitResult__Output>(client.serverStream('WatchJob', { id: fitJob.id }));
    expect(fitted.history.map(({ epoch }) => epoch)).toEqual([1, 2, 3]);
    expect(fitted.engine).toMatch(/wasm/i);

    const request = { generator: fitted.generator, count: mixed.dropped, seed: 1, engine: 'auto' };
    const generateJob = await client.unary('SubmitGenerate', request);
    const generated = await resultOf<GenerateResult__Output>(client.serverStream('WatchJob', { id: generateJob.id }));
    const images = await readImages(blobs, [...mixed.shards, ...generated.shards]);
    expect(images.count).toBe(1100);
    expect(images.shape).toEqual({ height: 12, width: 12, channels: 1 });
  });

  it('tells how far a job is while it runs', async () => {
    const request = { data, classes: 3, cvae: { ...cvae, epochs: 300 }, seed: 2, engine: 'wasm' };
    const { id } = await client.unary('SubmitFit', request);
    const seen: number[] = [];
    for await (const job of client.serverStream('WatchJob', { id })) {
      if (job.progress) seen.push(job.progress.done);
    }
    expect(seen.at(-1)).toBe(300);
    expect((await client.unary('GetJob', { id })).state).toBe('JOB_STATE_SUCCEEDED');
  });

  it('goes on answering while a fit runs, and stops it when asked to', async () => {
    const request = { data, classes: 3, cvae: { ...cvae, epochs: 100_000 }, seed: 3, engine: 'wasm' };
    const { id } = await client.unary('SubmitFit', request);
    for await (const job of client.serverStream('WatchJob', { id })) {
      if ((job.progress?.done ?? 0) > 0) break;
    }
    expect((await client.unary('Describe', {})).jobsRunning).toBe(1);
    await client.unary('CancelJob', { id });
    const states: string[] = [];
    for await (const job of client.serverStream('WatchJob', { id })) states.push(job.state);
    expect(states.at(-1)).toBe('JOB_STATE_CANCELLED');
  });

  it('the same request is the same job', async () => {
    const first = await client.unary('SubmitMix', mix({ count: 5 }));
    await resultOf(client.serverStream('WatchJob', { id: first.id }));
    const second = await client.unary('SubmitMix', mix({ count: 5 }));
    expect(second).toMatchObject({ id: first.id, state: 'JOB_STATE_SUCCEEDED', attempts: 1 });
  });
});

describe('synthesis - preview', () => {
  it('shows mixed images at once', async () => {
    const { shape, pixels } = await client.unary('Preview', { mix: mix(), images: 6 });
    expect(shape).toMatchObject({ height: 12, width: 12, channels: 1 });
    expect(pixels).toHaveLength(6 * 144);
  });

  it('shows images of a fitted generator', async () => {
    const { id } = await client.unary('SubmitFit', { data, classes: 3, cvae, seed: 1, engine: 'auto' });
    const { generator } = await resultOf<FitResult__Output>(client.serverStream('WatchJob', { id }));
    const { pixels } = await client.unary('Preview', { generate: { generator, count: 100, seed: 1 }, images: 4 });
    expect(pixels).toHaveLength(4 * 144);
  });
});

describe('synthesis - refusals', () => {
  const fit = (change: object) => ({ data, classes: 3, cvae, seed: 1, engine: 'auto', ...change });
  it.each([
    ['no data', () => client.unary('SubmitFit', fit({ data: [] })), /data is empty/],
    ['no CVAE settings', () => client.unary('SubmitFit', fit({ cvae: null })), /field cvae is missing/],
    [
      'the convolutional CVAE for edges of 12',
      () => client.unary('SubmitFit', fit({ cvae: { ...cvae, architecture: 'convolutional' } })),
      /convolutional CVAE takes images whose edges are multiples of 8/,
    ],
    ['no epochs', () => client.unary('SubmitFit', fit({ cvae: { ...cvae, epochs: 0 } })), /cvae\.epochs is 0/],
    ['a rate of 0', () => client.unary('SubmitFit', fit({ cvae: { ...cvae, learningRate: 0 } })), /learning_rate is 0/],
    ['no classes', () => client.unary('SubmitFit', fit({ classes: 0 })), /classes is 0/],
    ['an unknown engine', () => client.unary('SubmitFit', fit({ engine: 'abacus' })), /engine is "abacus"/],
    [
      'a generator that is no hash',
      () => client.unary('SubmitGenerate', { generator: { sha256: 'x' }, count: 1 }),
      /"x"/,
    ],
    ['no images to mix', () => client.unary('SubmitMix', mix({ images: [] })), /images is empty/],
    ['no share', () => client.unary('SubmitMix', mix({ mixupShare: 0 })), /all shares are 0/],
    ['a preview of nothing', () => client.unary('Preview', { images: 4 }), /source is missing/],
    ['a preview of too many', () => client.unary('Preview', { mix: mix(), images: 257 }), /images is 257/],
  ])('of %s', async (_name, call, message) => {
    await expect(call()).rejects.toMatchObject({
      kind: 'invalid-argument',
      message: expect.stringMatching(message) as string,
    });
  });

  it('of a job that nobody knows', async () => {
    await expect(client.unary('GetJob', { id: 'nothing' })).rejects.toMatchObject({ code: 'JOB_NOT_FOUND' });
  });

  it('of a shard whose images are gone, as a failed job', async () => {
    const [{ images }] = data as [(typeof data)[0]];
    const gone = { ...images, blob: { sha256: 'a'.repeat(64), sizeBytes: 1 } };
    const { id } = await client.unary('SubmitMix', mix({ images: [gone] }));
    await expect(resultOf(client.serverStream('WatchJob', { id }))).rejects.toThrow(/BLOB_NOT_FOUND/);
  });
});
