import { connect } from '@bbdistill/common';
import type { ConnectOptions } from '@bbdistill/common';
import type { Budget } from '@bbdistill/common/gen/bbdistill/v1/Budget.js';
import type { Dataset__Output } from '@bbdistill/common/gen/bbdistill/v1/Dataset.js';
import type { PlanRunResponse__Output } from '@bbdistill/common/gen/bbdistill/v1/PlanRunResponse.js';
import type { Run__Output } from '@bbdistill/common/gen/bbdistill/v1/Run.js';
import type { RunEvent__Output } from '@bbdistill/common/gen/bbdistill/v1/RunEvent.js';
import type { RunSpec } from '@bbdistill/common/gen/bbdistill/v1/RunSpec.js';
import type { UsageLine__Output } from '@bbdistill/common/gen/bbdistill/v1/UsageLine.js';
import { createRun } from './create-run.js';
import { downloadArtifact, downloadArtifacts } from './download.js';
import type { Orchestrator } from './orchestrator.js';
import { uploadImages } from './upload.js';
import type { ImagesToUpload } from './upload.js';
import { followRun, watchRun } from './watch.js';
import type { WatchOptions } from './watch.js';

export const DEFAULT_CONNECT_TIMEOUT_MS = 10_000;

export interface DistillationConnection extends ConnectOptions {
  /** `host:port`, or `dns:///host:port` to spread calls over every address of the name. */
  address: string;
  /** Default {@link DEFAULT_CONNECT_TIMEOUT_MS}. */
  connectTimeoutMs?: number;
}

/**
 * Connects to an orchestrator.
 * @throws UnavailableError where nobody answers in time
 */
export async function connectDistillation(options: DistillationConnection): Promise<DistillationClient> {
  const { address, connectTimeoutMs = DEFAULT_CONNECT_TIMEOUT_MS, ...rest } = options;
  const orchestrator = connect('bbdistill.v1.DistillationService', address, rest);
  try {
    await orchestrator.ready(connectTimeoutMs);
  } catch (error) {
    orchestrator.close();
    throw error;
  }
  return new DistillationClient(orchestrator);
}

/**
 * From a few images to a student: upload, create a run, watch it, download. Every failure is a BbdError whose `code`
 * says what it is and whose message says what to do; `retryable` tells whether the same call may succeed later.
 */
export class DistillationClient {
  constructor(readonly orchestrator: Orchestrator) {}

  /** The same pixels are the same data set, however often they are sent. */
  uploadImages(images: ImagesToUpload, signal?: AbortSignal): Promise<Dataset__Output> {
    return uploadImages(this.orchestrator, images, signal);
  }

  /** Images, calls and cost at most; spends nothing. */
  planRun(spec: RunSpec): Promise<PlanRunResponse__Output> {
    return this.orchestrator.unary('PlanRun', { spec });
  }

  /**
   * Starts a run, over lost connections and restarts.
   * @param requestId the same id returns the same run: keep one where the call may be repeated. Default: a new one.
   */
  createRun(spec: RunSpec, requestId?: string): Promise<Run__Output> {
    return createRun(this.orchestrator, spec, requestId === undefined ? {} : { requestId });
  }

  getRun(runId: string): Promise<Run__Output> {
    return this.orchestrator.unary('GetRun', { runId });
  }

  /** Newest first. @param limit 0: as many as the service gives at once */
  async listRuns(limit = 0): Promise<Run__Output[]> {
    return (await this.orchestrator.unary('ListRuns', { limit })).runs;
  }

  /** Events until the run is over, each once, over lost connections and restarts. */
  watchRun(runId: string, options?: WatchOptions): AsyncGenerator<RunEvent__Output, Run__Output, undefined> {
    return watchRun(this.orchestrator, runId, options);
  }

  /** @returns the run as it ended, well or badly: look at `state` and `failure` */
  waitForRun(runId: string, options?: WatchOptions): Promise<Run__Output> {
    return followRun(this.orchestrator, runId, options);
  }

  /** Stops spending at once; what was paid for is kept. */
  cancelRun(runId: string): Promise<Run__Output> {
    return this.orchestrator.unary('CancelRun', { runId });
  }

  /**
   * @param budget instead of the one before
   * @param reask asks and pays again where the answers that are kept are of no use
   * @throws FailedPreconditionError `RUN_UNDER_WAY` where the run isn't over yet and would not do what is asked here
   */
  resumeRun(runId: string, budget?: Budget, reask = false): Promise<Run__Output> {
    return this.orchestrator.unary('ResumeRun', { runId, reask, ...(budget && { budget }) });
  }

  /** Forgets a run that is over; answers of teachers stay. */
  async deleteRun(runId: string): Promise<void> {
    await this.orchestrator.unary('DeleteRun', { runId });
  }

  /** @param path as in `Run.artifacts`, e.g. `student/model.onnx` */
  download(runId: string, path: string, signal?: AbortSignal): Promise<Buffer> {
    return downloadArtifact(this.orchestrator, runId, path, signal);
  }

  /** Every file of the run below a folder. @returns the files */
  downloadAll(run: Run__Output, folder: string, signal?: AbortSignal): Promise<string[]> {
    return downloadArtifacts(this.orchestrator, run, folder, signal);
  }

  /** What was asked and paid. @param teacher absent: all; @param runId absent: all */
  async usage(teacher = '', runId = ''): Promise<UsageLine__Output[]> {
    return (await this.orchestrator.unary('Usage', { teacher, runId })).lines;
  }

  close(): void {
    this.orchestrator.close();
  }
}
