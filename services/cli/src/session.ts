import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { ConfigError, connect } from '@bbdistill/common';
import type { Orchestrator } from '@bbdistill/client';
import type { ConnectOptions, Logger } from '@bbdistill/common';
import { GPU_WISHES } from '@bbdistill/compute';
import type { EngineName, GpuWish } from '@bbdistill/compute';
import type { TeacherConfig } from '@bbdistill/teacher-proxy';
import { z } from 'zod';
import { startEmbedded } from './embedded.js';

export const DEFAULT_STATE_FOLDER = './.bbdistill';
const CONNECT_TIMEOUT_MS = 10_000;

export interface SessionOptions {
  /** A remote orchestrator; absent: the services run in this process. */
  remote?: { address: string } & ConnectOptions;
  stateFolder: string;
  teachers: readonly TeacherConfig[];
  engine?: EngineName;
  gpu?: GpuWish;
  logger: Logger;
}

export type { Orchestrator };

/** An orchestrator to talk to, in this process or elsewhere. */
export interface Session {
  readonly orchestrator: Orchestrator;
  /** Runs that an earlier process left in the middle. */
  readonly interruptedRuns: readonly string[];
  /**
   * Keeps where a run's results go, and this session's wish for a GPU, so that `resume` needs only its id.
   * @returns false where that couldn't be kept
   */
  rememberOutput(runId: string, folder: string): Promise<boolean>;
  outputOf(runId: string): Promise<string | undefined>;
  close(): Promise<void>;
}

/**
 * @throws ConfigError where a teachers block, or a wish for a GPU, is sent to a remote orchestrator
 * @throws UnavailableError where the remote orchestrator can't be reached
 */
export async function openSession(options: SessionOptions): Promise<Session> {
  const notes = new RunNotes(options.stateFolder);
  if (options.remote !== undefined) {
    const { address, ...way } = options.remote;
    refuseForRemote(address, options);
    const orchestrator = connect('bbdistill.v1.DistillationService', address, way);
    await orchestrator.ready(CONNECT_TIMEOUT_MS);
    return {
      orchestrator,
      interruptedRuns: [],
      rememberOutput: (runId, folder) => notes.write(runId, { folder }),
      outputOf: async (runId) => (await notes.read(runId))?.folder,
      close: async () => orchestrator.close(),
    };
  }
  const embedded = await startEmbedded({
    stateFolder: options.stateFolder,
    teachers: options.teachers,
    engine: options.engine ?? 'auto',
    gpu: options.gpu ?? 'preferred',
    logger: options.logger,
  });
  const orchestrator = connect('bbdistill.v1.DistillationService', embedded.orchestratorAddress);
  return {
    orchestrator,
    interruptedRuns: embedded.interruptedRuns,
    rememberOutput: (runId, folder) => notes.write(runId, { folder, gpu: options.gpu }),
    outputOf: async (runId) => (await notes.read(runId))?.folder,
    async close() {
      orchestrator.close();
      await embedded.stop();
    },
  };
}

/** The wish for a GPU that a run in this process began with, where that is known. */
export async function gpuWishOf(stateFolder: string, runId: string): Promise<GpuWish | undefined> {
  return (await new RunNotes(stateFolder).read(runId))?.gpu;
}

function refuseForRemote(address: string, { teachers, gpu = 'preferred' }: SessionOptions): void {
  if (teachers.length > 0) {
    throw new ConfigError(
      `teachers can't be described to the remote orchestrator ${address}, whose operator registers them: take the ` +
        'teachers block out of the file and name a registered teacher in run.teacher; demo and reproduce bring one ' +
        'along and run without --orchestrator only',
    );
  }
  if (gpu !== 'preferred') {
    throw new ConfigError(
      `run.gpu is ${gpu}, but with the remote orchestrator ${address} its student-trainer decides that by a setting of ` +
        'its own (BBDISTILL_GPU): leave run.gpu out',
    );
  }
}

/** Ids come from a server; this one is a file's name. */
const RUN_ID = /^[0-9a-f]{1,64}$/;

const noteSchema = z.object({ folder: z.string(), gpu: z.enum(GPU_WISHES).optional().catch(undefined) });
type Note = z.output<typeof noteSchema>;

function noteOf(text: string): Note | undefined {
  // Earlier versions wrote the folder's absolute path alone.
  if (!text.startsWith('{')) return { folder: text };
  try {
    return noteSchema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** One small file a run below the state folder; a convenience of the command line, not the run's own state. */
class RunNotes {
  readonly #folder: string;

  constructor(stateFolder: string) {
    this.#folder = join(stateFolder, 'outputs');
  }

  async write(runId: string, { folder, gpu }: Note): Promise<boolean> {
    if (!RUN_ID.test(runId)) return false;
    try {
      await mkdir(this.#folder, { recursive: true });
      await writeFile(join(this.#folder, runId), JSON.stringify({ folder: resolve(folder), gpu }));
      return true;
    } catch {
      // The run is on its way, and somebody has to look after it.
      return false;
    }
  }

  async read(runId: string): Promise<Note | undefined> {
    if (!RUN_ID.test(runId)) return undefined;
    return readFile(join(this.#folder, runId), 'utf8').then(noteOf, () => undefined);
  }
}
