import {
  BbdError,
  FailedPreconditionError,
  InvalidArgumentError,
  KeyExistsError,
  NotFoundError,
  asBbdError,
  decodeJson,
  hashOf,
  decodeLabels,
  implementService,
  runIdOf,
} from '@bbdistill/common';
import type { BlobStore, CallContext, Clock, JobClient, ServiceClient, ServiceImplementation } from '@bbdistill/common';
import type { Budget__Output } from '@bbdistill/common/gen/bbdistill/v1/Budget.js';
import type { Dataset__Output } from '@bbdistill/common/gen/bbdistill/v1/Dataset.js';
import type { RunSpec__Output } from '@bbdistill/common/gen/bbdistill/v1/RunSpec.js';
import type { UploadImagesRequest__Output } from '@bbdistill/common/gen/bbdistill/v1/UploadImagesRequest.js';
import type { DatasetPiece, DatasetStore } from './datasets.js';
import type { RunDriver } from './driver.js';
import { REPORT_FILE } from './finish.js';
import { planRun } from './plan.js';
import type { RecentReports } from './recent-reports.js';
import { assertRunId, isOver } from './run-record.js';
import type { RunEventBody, RunRecord, RunStore } from './run-record.js';
import { traceOfCreation } from './run-telemetry.js';
import { cancelJobs } from './run.js';
import { checkBudget, checkDatasets, checkTestLabels, checkedSpec, refuseOtherSpec } from './spec.js';
import type { CheckedSpec } from './spec.js';
import { eventToWire, runToWire, runsToWire } from './wire.js';

export const MAX_DOWNLOAD_PIECE_BYTES = 256 * 1024;
export const DEFAULT_LIST_LIMIT = 100;
const REQUEST_ID_PATTERN = /^[\x21-\x7e]{1,128}$/;

export interface DistillationServiceOptions {
  runs: RunStore;
  datasets: DatasetStore;
  blobs: BlobStore;
  reports: RecentReports;
  jobs: JobClient;
  driver: RunDriver;
  teacher: ServiceClient<'bbdistill.v1.TeacherService'>;
  clock: Clock;
}

/** The API that others call (proto/bbdistill/v1/orchestrator.proto). */
export function distillationService(options: DistillationServiceOptions): ServiceImplementation {
  const { runs, datasets, blobs, reports, jobs, driver, teacher, clock } = options;

  async function inspect(sent: RunSpec__Output | null) {
    if (!sent) throw new InvalidArgumentError('the field spec is missing');
    const spec = checkedSpec(sent);
    const real = await datasets.get(spec.images);
    const test = spec.test === '' ? undefined : await datasets.get(spec.test);
    checkDatasets(spec, real, test);
    if (test?.labels) checkTestLabels(spec, decodeLabels(await blobs.get(test.labels.sha256)));
    const seeds = await teacher.unary('CountCached', { teacher: spec.teacher, images: real.shards });
    return { spec, real, test, seeds };
  }

  return implementService('bbdistill.v1.DistillationService', {
    async PlanRun({ spec: sent }) {
      const { spec, real, test, seeds } = await inspect(sent);
      const description = await teacher.unary('DescribeTeacher', { teacher: spec.teacher, shape: real.shape });
      return planRun({ spec, real, teacher: description, seeds, testImages: test?.images ?? 0 });
    },

    async CreateRun({ requestId, spec: sent }, context) {
      if (!REQUEST_ID_PATTERN.test(requestId)) {
        throw new InvalidArgumentError(
          `request_id is "${requestId}": use 1 to 128 printable ASCII characters, no spaces`,
        );
      }
      const id = runIdOf(requestId);
      const specHash = hashOf(sent);
      const known = await runs.get(id).catch((error: unknown) => {
        if (error instanceof NotFoundError) return undefined;
        throw error;
      });
      if (known) return known.specHash === specHash ? runToWire(known) : refuseOtherSpec(requestId);
      const { spec, seeds } = await inspect(sent);
      checkBudget(spec, seeds.distinct - seeds.cached);
      const record: RunRecord = {
        id,
        requestId,
        specHash,
        spec,
        state: 'pending',
        stages: [],
        jobs: [],
        artifacts: [],
        ...traceOfCreation(),
        createdAtMs: clock.nowMs(),
        cancelRequested: false,
      };
      assertAwaited(context, clock);
      try {
        await runs.create(record, context.signal);
      } catch (error) {
        if (!(error instanceof KeyExistsError)) throw error;
        const first = await runs.get(id);
        return first.specHash === specHash ? runToWire(first) : refuseOtherSpec(requestId);
      }
      driver.wake(id);
      return runToWire(record);
    },

    async GetRun({ runId }) {
      // Asked for again and again while a run goes on: whoever drives it needn't ask the stores.
      const record = driver.recordOf(runId) ?? (await runs.get(runId));
      const report = record.artifacts.find(({ path }) => path === REPORT_FILE);
      const reportJson = report?.blob ? await reports.read(report.blob.sha256) : '';
      return { ...runToWire(record), reportJson };
    },

    async ListRuns({ limit }) {
      return { runs: runsToWire((await runs.list()).slice(0, limit || DEFAULT_LIST_LIMIT)) };
    },

    async *WatchRun({ runId, fromSequence }, { signal }) {
      for await (const event of eventsUntilOver(runs, driver, runId, Math.max(1, fromSequence), signal))
        yield eventToWire(event);
    },

    async CancelRun({ runId }) {
      const record = await runs.change(runId, (found) =>
        isOver(found.state) || found.cancelRequested ? undefined : { ...found, cancelRequested: true },
      );
      // Whether or not a driver is alive to see it: no new call may start.
      if (!isOver(record.state)) {
        await cancelJobs(jobs, record.jobs);
        driver.wake(runId);
      }
      return runToWire(await runs.get(runId));
    },

    async ResumeRun({ runId, budget, reask }) {
      const found = await runs.get(runId);
      resumedSpec(found, budget);
      await runs.completeEvents(found);
      await runs.activate(runId, clock.nowMs());
      const record = await runs.change(runId, (found) => {
        if (found.state === 'succeeded') {
          throw new FailedPreconditionError(`run ${runId} has succeeded: there is nothing left to resume`, {
            code: 'RUN_SUCCEEDED',
          });
        }
        const spec = resumedSpec(found, budget);
        if (!isOver(found.state)) {
          refuseToChange(found, spec, reask);
          return undefined;
        }
        const { failure: _failure, endedAtMs, reask: _reask, ...rest } = found;
        const nowMs = clock.nowMs();
        const idleMs = (found.idleMs ?? 0) + nowMs - (endedAtMs ?? nowMs);
        const again = reask ? { reask } : {};
        return { ...rest, ...again, spec, state: 'pending', cancelRequested: false, idleMs };
      });
      // Once more: a driver that saw the run's end may have taken the mark away meanwhile.
      await runs.activate(runId, clock.nowMs());
      driver.wake(runId);
      return runToWire(record);
    },

    async DeleteRun({ runId }) {
      await runs.delete(runId);
      return {};
    },

    async UploadImages(requests): Promise<Dataset__Output> {
      const iterator = requests[Symbol.asyncIterator]();
      const first = await iterator.next();
      const header = first.done ? undefined : first.value.header;
      if (first.done || !header?.shape) {
        throw new InvalidArgumentError('the first message must carry a header with the shape of the images');
      }
      return datasets.store(
        { shape: header.shape, classNames: header.classNames },
        piecesOf(first.value, { [Symbol.asyncIterator]: () => iterator }),
      );
    },

    async *DownloadArtifact({ runId, path }) {
      const { artifacts } = await runs.get(runId);
      const file = artifacts.find((artifact) => artifact.path === path);
      if (!file?.blob) {
        const known = artifacts.map((artifact) => artifact.path).join(', ') || 'none yet';
        throw new NotFoundError(`run ${runId} has no file "${path}"; it has: ${known}`, { code: 'ARTIFACT_NOT_FOUND' });
      }
      const { buffer, byteOffset, length } = await blobs.get(file.blob.sha256);
      const bytes = Buffer.from(buffer, byteOffset, length);
      for (let at = 0; at < bytes.length || at === 0; at += MAX_DOWNLOAD_PIECE_BYTES) {
        yield { data: bytes.subarray(at, at + MAX_DOWNLOAD_PIECE_BYTES) };
      }
    },

    Usage: (request) => teacher.unary('Usage', request),
  });
}

/**
 * A run made after its caller gave up would be driven and paid for while nobody knows of it.
 * @throws BbdError that says how the call ended
 */
function assertAwaited({ signal, deadlineMs }: CallContext, clock: Clock): void {
  if (signal.aborted) throw asBbdError(signal.reason);
  if (deadlineMs !== undefined && clock.nowMs() >= deadlineMs) {
    throw new BbdError('deadline-exceeded', 'the deadline of the call is over: the run was not made, ask for it again');
  }
}

/** Events as they come; ends with the event that says the run is over. A run that is over ends with its last event. */
async function* eventsUntilOver(
  runs: RunStore,
  driver: RunDriver,
  runId: string,
  fromSequence: number,
  signal: AbortSignal,
) {
  assertRunId(runId);
  const last = await runs.events.lastSequence(runId);
  const record = driver.recordOf(runId) ?? (await runs.get(runId));
  const follow = !isOver(record.state);
  await runs.completeEvents(record);
  for await (const event of runs.events.read(runId, { fromSequence, follow, signal })) {
    yield event;
    // A resumed run has ends in its past: only one that is yet to come is the end.
    if (event.sequence > last && 'state' in decodeJson<RunEventBody>(event.value)) return;
  }
}

async function* piecesOf(
  first: UploadImagesRequest__Output,
  rest: AsyncIterable<UploadImagesRequest__Output>,
): AsyncIterable<DatasetPiece> {
  if (first.pixels.length > 0) yield first;
  for await (const piece of rest) {
    // Its shape would be taken for that of the images before it.
    if (piece.header) throw new InvalidArgumentError('a second header came: send one upload for each data set');
    yield piece;
  }
}

/** What the run is to do once resumed. @throws InvalidArgumentError */
function resumedSpec({ spec }: RunRecord, budget: Budget__Output | null): CheckedSpec {
  return checkedSpec(budget ? { ...spec, budget: { ...spec.budget, ...definedOf(budget) } } : spec);
}

/**
 * A run that is under way goes on as it began, or ends as it was told to.
 * @throws FailedPreconditionError where that isn't what its resumption asks for
 */
function refuseToChange({ id, spec, cancelRequested, reask }: RunRecord, wanted: CheckedSpec, reaskWanted: boolean) {
  const [now, then] = [describeBudget(spec.budget), describeBudget(wanted.budget)];
  const refuse = (why: string): never => {
    const message = `run ${id} is under way and ${why}: wait for its end (bbdistill watch ${id}), then resume it`;
    throw new FailedPreconditionError(message, { code: 'RUN_UNDER_WAY' });
  };
  if (cancelRequested) refuse('is being cancelled');
  if (now !== then) refuse(`its budget is ${now}, not ${then}`);
  if (reaskWanted && !reask) refuse('asks for no answer again (reask)');
}

function describeBudget(budget: Budget__Output | null): string {
  return `images ${budget?.images ?? 'without limit'}, money_micros ${budget?.moneyMicros ?? 'without limit'}`;
}

function definedOf<T extends object>(value: T): Partial<T> {
  return Object.fromEntries(
    Object.entries(value).filter(([, item]) => item !== undefined && item !== null),
  ) as Partial<T>;
}
