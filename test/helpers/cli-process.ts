import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { RunEvent } from '@bbdistill/common/gen/bbdistill/v1/RunEvent.js';
import type { Report } from '@bbdistill/orchestrator';
import { startChild } from './child.js';
import type { Child } from './child.js';
import type { MeteredTeacher } from './metered-teacher.js';
import { writeTinyFolder } from './png-folder.js';
import { waitFor } from './wait-for.js';

/** What `bbdistill` runs. */
export const CLI_SCRIPT = fileURLToPath(new URL('../../services/cli/bin/bbdistill.js', import.meta.url));
const WAIT_MS = 60_000;

/** `bbdistill … --json` in a process of its own, from the build. */
export interface CliProcess extends AsyncDisposable {
  readonly child: Child;
  /** What it showed so far, in order. */
  events(): RunEvent[];
  /** Waits for an event, shown already or to come; fails when the process ends without it. */
  event(what: string, wanted: (event: RunEvent) => boolean): Promise<RunEvent>;
  /** The id of its run, said when the run is made or goes on. */
  runId(): Promise<string>;
  /** Waits for its end. */
  exitCode(): Promise<number | NodeJS.Signals>;
  /** The report that it printed last. */
  report(): Report;
  /** `kill -9`, and waits until it is gone. */
  kill(): Promise<void>;
}

export function startCli(...args: string[]): CliProcess {
  const child = startChild(process.execPath, [CLI_SCRIPT, ...args, '--json']);
  const objects = () => child.lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  const events = () => objects().filter((object) => 'sequence' in object) as RunEvent[];
  let exitCode: number | NodeJS.Signals | undefined;
  child.ended.then(
    (code) => (exitCode = code),
    () => undefined,
  );
  const saidBeforeTheEnd = <T>(what: string, look: () => T | undefined): Promise<Exclude<NonNullable<T>, false>> =>
    waitFor(
      what,
      () => {
        const found = look();
        if (found === undefined && exitCode !== undefined) {
          throw new Error(`bbdistill ended with ${exitCode} before ${what}: ${child.errorOutput()}`);
        }
        return found;
      },
      WAIT_MS,
    );
  return {
    child,
    events,
    event: (what, wanted) => saidBeforeTheEnd(what, () => events().find(wanted)),
    runId: () => saidBeforeTheEnd('a run id', () => /^run ([0-9a-f]+) /m.exec(child.errorOutput())?.[1]),
    exitCode: () => child.ended,
    report() {
      const last = objects().findLast((object) => 'report' in object);
      if (!last) throw new Error(`bbdistill printed no report: ${child.errorOutput()}`);
      return last['report'] as Report;
    },
    async kill() {
      child.kill('SIGKILL');
      await child.ended;
    },
    [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
  };
}

export interface MeteredRun {
  real: number;
  synthetic: number;
  imagesPerCall: number;
  concurrency: number;
  /** Default 60: long enough to be killed in. */
  epochs?: number;
  /** YAML lines below `run:`. */
  extra?: string;
  /** YAML lines below the teacher. */
  teacher?: string;
}

/** Of images that are asked about while the teacher is held: two calls of four of them at once. */
export const HELD_RUN = { synthetic: 0, imagesPerCall: 4, concurrency: 2, epochs: 2 };

/** Writes images and a run file that asks the metered teacher; returns the file's path. */
export async function writeMeteredRun(folder: string, teacher: MeteredTeacher, run: MeteredRun): Promise<string> {
  await writeTinyFolder(join(folder, 'real'), run.real, 4, 1);
  await writeTinyFolder(join(folder, 'test'), 16, 4, 2);
  const file = join(folder, 'run.yaml');
  await writeFile(file, meteredRunFile(teacher, run));
  return file;
}

function meteredRunFile(
  teacher: MeteredTeacher,
  { synthetic, imagesPerCall, concurrency, epochs = 60, extra, teacher: more }: MeteredRun,
) {
  return `
teachers:
  metered:
    adapter: open-inference-http
    url: ${teacher.url}
    model: ${teacher.model}
    input: { size: [8, 8] }
    limits: { imagesPerCall: ${imagesPerCall}, concurrency: ${concurrency} }
${(more ?? '').replaceAll(/^(?=.)/gm, '    ')}
run:
  name: metered
  images: { path: real }
  test: { path: test, labels: folder }
  classes: 4
  synthesis: { images: ${synthetic}, cvae: { epochs: ${Math.ceil(epochs / 2)}, batch: 16 } }
  student: { network: lenet5-half, recipe: paper, epochs: ${epochs}, batch: 16 }
  engine: wasm
${(extra ?? '').replaceAll(/^(?=.)/gm, '  ')}`;
}
