import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connect, silentLogger } from '@bbdistill/common';
import type { Run__Output } from '@bbdistill/common/gen/bbdistill/v1/Run.js';
import type { RunEvent__Output } from '@bbdistill/common/gen/bbdistill/v1/RunEvent.js';
import type { RunSpec } from '@bbdistill/common/gen/bbdistill/v1/RunSpec.js';
import type { UploadImagesRequest } from '@bbdistill/common/gen/bbdistill/v1/UploadImagesRequest.js';
import { parseTeacherConfig } from '@bbdistill/teacher-proxy';
import { startEmbedded } from '../../services/cli/src/embedded.js';
import type { Embedded } from '../../services/cli/src/embedded.js';
import { uploadImages } from '../../services/cli/src/upload.js';
import { aSpec } from '../../services/orchestrator/src/testing/specs.js';
import type { Orchestrator } from '../../services/cli/src/session.js';
import { temporaryFolder } from '../helpers/temporary-folder.js';
import type { TemporaryFolder } from '../helpers/temporary-folder.js';
import { tinyImages } from '../helpers/tiny-images.js';

const REAL = 40;
const SYNTHETIC = 60;
const CLASSES = 4;
/** From CancelRun while training until the run is over. */
const MAX_CANCEL_MS = 2_000;

let folder: TemporaryFolder;
let embedded: Embedded;
let orchestrator: Orchestrator;
let images: string;

beforeAll(async () => {
  folder = await temporaryFolder();
  embedded = await startEmbedded({
    stateFolder: folder.path,
    teachers: [parseTeacherConfig('fake', { adapter: 'fake', fake: { classes: CLASSES } })],
    engine: 'wasm',
    gpu: 'never',
    logger: silentLogger,
  });
  orchestrator = connect('bbdistill.v1.DistillationService', embedded.orchestratorAddress);
  const tiny = tinyImages(REAL, CLASSES, 1);
  images = (await uploadImages(orchestrator, { images: { ...tiny, count: REAL } }, never)).id;
});
afterAll(async () => {
  orchestrator.close();
  await embedded.stop();
  await folder[Symbol.asyncDispose]();
});

const never = new AbortController().signal;

function spec(epochs: number, seed = 1): RunSpec {
  const base = aSpec({ images, test: '', classes: CLASSES, engine: 'wasm', seed });
  return {
    ...base,
    synthesis: { ...base.synthesis, images: SYNTHETIC, dropBelow: 0 },
    student: { ...base.student, recipe: { ...base.student.recipe, epochs, batch: 16 } },
  };
}

async function watched(runId: string, fromSequence = 0): Promise<RunEvent__Output[]> {
  const events: RunEvent__Output[] = [];
  for await (const event of orchestrator.serverStream('WatchRun', { runId, fromSequence })) events.push(event);
  return events;
}

async function eventOf(runId: string, wanted: (event: RunEvent__Output) => boolean): Promise<RunEvent__Output> {
  for await (const event of orchestrator.serverStream('WatchRun', { runId })) if (wanted(event)) return event;
  throw new Error(`run ${runId} ended without it`);
}

const stageOf = (run: Run__Output, name: string) => run.stages.find((stage) => stage.name === name);
const trains = ({ stage }: RunEvent__Output) => stage?.name === 'train' && (stage.progress?.done ?? 0) > 0;

describe('CancelRun', () => {
  it('while it trains - ends quickly, and resuming reuses every finished stage', async () => {
    const { id } = await orchestrator.unary('CreateRun', { requestId: 'cancel', spec: spec(100_000) });
    await eventOf(id, trains);
    const askedAtMs = performance.now();
    await orchestrator.unary('CancelRun', { runId: id });
    const events = await watched(id);
    expect(performance.now() - askedAtMs).toBeLessThan(MAX_CANCEL_MS);
    expect(events.at(-1)).toMatchObject({ state: 'RUN_STATE_CANCELLED' });
    const cancelled = await orchestrator.unary('GetRun', { runId: id });
    expect(cancelled).toMatchObject({ state: 'RUN_STATE_CANCELLED', failure: null });
    expect(stageOf(cancelled, 'train')?.state).toBe('JOB_STATE_CANCELLED');
    const again = await orchestrator.unary('CancelRun', { runId: id });
    expect(again.state).toBe('RUN_STATE_CANCELLED');

    const { lines } = await orchestrator.unary('Usage', { runId: id });
    const resumedAtMs = performance.now();
    await orchestrator.unary('ResumeRun', { runId: id });
    const from = events.at(-1)!.sequence + 1;
    for await (const event of orchestrator.serverStream('WatchRun', { runId: id, fromSequence: from })) {
      if (trains(event)) break;
    }
    expect(performance.now() - resumedAtMs).toBeLessThan(10_000);
    const resumed = await orchestrator.unary('GetRun', { runId: id });
    for (const name of ['label-seeds', 'mix', 'label-mixup']) {
      expect(stageOf(resumed, name)).toMatchObject({ state: 'JOB_STATE_SUCCEEDED', reused: true });
    }
    expect((await orchestrator.unary('Usage', { runId: id })).lines).toEqual(lines);

    await expect(orchestrator.unary('DeleteRun', { runId: id })).rejects.toMatchObject({ code: 'RUN_UNDER_WAY' });
    await orchestrator.unary('CancelRun', { runId: id });
    await watched(id);
    await orchestrator.unary('DeleteRun', { runId: id });
    await orchestrator.unary('DeleteRun', { runId: id });
    await expect(orchestrator.unary('GetRun', { runId: id })).rejects.toMatchObject({ code: 'RUN_NOT_FOUND' });
    await expect(watched(id)).rejects.toMatchObject({ code: 'RUN_NOT_FOUND' });
    const { runs } = await orchestrator.unary('ListRuns', {});
    expect(runs.map((run) => run.id)).not.toContain(id);
  });

  it('a run that nobody made is not found', async () => {
    await expect(orchestrator.unary('CancelRun', { runId: 'nothing' })).rejects.toMatchObject({ kind: 'not-found' });
    await expect(orchestrator.unary('ResumeRun', { runId: 'nothing' })).rejects.toMatchObject({ kind: 'not-found' });
  });
});

describe('a run over gRPC', () => {
  it('CreateRun is idempotent, WatchRun goes on at any event, DownloadArtifact gives whole files', async () => {
    const request = { requestId: 'twice', spec: spec(1, 2) };
    const [first, second] = await Promise.all([
      orchestrator.unary('CreateRun', request),
      orchestrator.unary('CreateRun', request),
    ]);
    expect(second.id).toBe(first.id);
    await expect(orchestrator.unary('CreateRun', { requestId: 'twice', spec: spec(1, 3) })).rejects.toMatchObject({
      kind: 'already-exists',
      code: 'REQUEST_ID_REUSED',
    });
    const all = await watched(first.id);
    expect(all.map(({ sequence }) => sequence)).toEqual(all.map((_, index) => index + 1));
    expect(all.filter(({ state }) => state)).toMatchObject([{ state: 'RUN_STATE_SUCCEEDED' }]);
    expect(await watched(first.id, 4)).toEqual(all.slice(3));
    expect(await watched(first.id, all.length + 1)).toEqual([]);
    expect((await orchestrator.unary('CreateRun', request)).state).toBe('RUN_STATE_SUCCEEDED');
    await expect(orchestrator.unary('ResumeRun', { runId: first.id })).rejects.toMatchObject({ code: 'RUN_SUCCEEDED' });

    const { artifacts } = await orchestrator.unary('GetRun', { runId: first.id });
    for (const { path, blob } of artifacts) {
      let bytes = 0;
      for await (const { data } of orchestrator.serverStream('DownloadArtifact', { runId: first.id, path })) {
        bytes += data.length;
      }
      expect(`${path} ${bytes}`).toBe(`${path} ${blob!.sizeBytes}`);
    }
    const unknown = async () => {
      for await (const _ of orchestrator.serverStream('DownloadArtifact', { runId: first.id, path: '../secret' }))
        break;
    };
    await expect(unknown()).rejects.toMatchObject({ kind: 'not-found', code: 'ARTIFACT_NOT_FOUND' });
    await expect(unknown()).rejects.toThrow('student/model.onnx');
  });
});

describe('UploadImages', () => {
  const shape = { height: 4, width: 4, channels: 1 };
  const pixels = Buffer.alloc(32);
  async function* pieces(...sent: UploadImagesRequest[]) {
    yield* sent;
  }
  it.each<[string, UploadImagesRequest[], RegExp]>([
    ['nothing', [], /header/],
    ['no header', [{ pixels }], /header/],
    ['a header only', [{ header: { shape } }], /no images were sent/],
    ['half an image', [{ header: { shape } }, { pixels: pixels.subarray(0, 24) }], /24 bytes, no whole number/],
    ['too few labels', [{ header: { shape } }, { pixels, labels: [1] }], /2 images and 1 labels/],
    [
      'labels in one message only',
      [{ header: { shape } }, { pixels, labels: [1, 0] }, { pixels }],
      /2 labels .* 4 images/,
    ],
    ['a label below -1', [{ header: { shape } }, { pixels, labels: [0, -2] }], /a label is -2/],
    [
      'a label without a name',
      [{ header: { shape, classNames: ['a', 'b'] } }, { pixels, labels: [0, 2] }],
      /label is 2/,
    ],
    ['two channels', [{ header: { shape: { ...shape, channels: 2 } } }, { pixels }], /channels 1 or 3/],
    ['no height', [{ header: { shape: { ...shape, height: 0 } } }, { pixels }], /sides are 1\.\./],
    ['a second header', [{ header: { shape } }, { header: { shape }, pixels }], /second header/],
  ])('%s - is refused', async (_, sent, says) => {
    const upload = orchestrator.clientStream('UploadImages', pieces(...sent));
    await expect(upload).rejects.toMatchObject({ kind: 'invalid-argument' });
    await expect(orchestrator.clientStream('UploadImages', pieces(...sent))).rejects.toThrow(says);
  });

  it('the same images are the same data set, however they are cut', async () => {
    const whole = await orchestrator.clientStream(
      'UploadImages',
      pieces({ header: { shape }, pixels, labels: [1, 0] }),
    );
    const cut = await orchestrator.clientStream(
      'UploadImages',
      pieces(
        { header: { shape } },
        { pixels: pixels.subarray(0, 16), labels: [1] },
        { pixels: pixels.subarray(16), labels: [0] },
      ),
    );
    expect(cut.id).toBe(whole.id);
    expect(whole.images).toBe(2);
  });
});
