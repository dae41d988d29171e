import { BbdError, asBbdError, runWorkerTask } from '@bbdistill/common';
import type { DrawInput, DrawResult } from './draw.js';
import { filesOf } from './files.js';
import type { AnsweredImages, RenderedReport, ReportInput } from './input.js';

const DRAW = new URL('./draw.ts', import.meta.url);

/** Runs often end one soon after the other. */
const LINGER_MS = 10_000;
/** The allocator's arenas of a drawing library's threads never shrink: two are enough for one report at a time. */
const DRAW_ENV = { MALLOC_ARENA_MAX: '2' };

let drawing: Promise<unknown> = Promise.resolve();
/** Reports that are drawn or wait to be. */
let wanted = 0;

/**
 * A run's report as files, see `renderReport`; without figures where they can't be drawn at all.
 * @throws BbdError `internal` when the report doesn't fit its schema; CancelledError after an abort
 */
export async function drawReport(
  report: ReportInput,
  signal: AbortSignal = new AbortController().signal,
  draw: typeof drawBeside = drawBeside,
): Promise<RenderedReport> {
  try {
    return (await draw({ report }, signal)) as RenderedReport;
  } catch (error) {
    if (signal.aborted) throw error;
    const undrawn = { reason: asBbdError(error).message };
    return filesOf(report, { samples: undrawn, curves: undrawn, confusion: undrawn });
  }
}

/** Images with the teacher's likeliest classes beside them, as a PNG; at most MAX_SAMPLES_PER_KIND are shown. */
export async function drawSamples(
  title: string,
  samples: AnsweredImages,
  classNames: readonly string[],
): Promise<Uint8Array> {
  const { signal } = new AbortController();
  return (await drawBeside({ samples: { title, samples, classNames } }, signal)) as Uint8Array;
}

/** Starts the process that draws, so that a report which is wanted soon needn't wait for it. */
export function prepareToDraw(): void {
  if (wanted > 0) return;
  const { signal } = new AbortController();
  // Who draws then meets what fails now.
  drawBeside('nothing', signal).catch(() => undefined);
}

/**
 * Draws in a process of its own, one report at a time: it takes half a second of a core, for which callers of the API
 * must not wait, and more memory than all else here, which is given back when the process goes.
 */
async function drawBeside(input: DrawInput, signal: AbortSignal): Promise<DrawResult> {
  wanted++;
  const drawn = drawing.then(() => drawNow(input, signal)).finally(() => wanted--);
  drawing = drawn.catch(() => undefined);
  return drawn;
}

async function drawNow(input: DrawInput, signal: AbortSignal): Promise<DrawResult> {
  const task = {
    ...{ script: DRAW, input, signal },
    ...({ isolation: 'process', processLingerMs: LINGER_MS, processEnv: DRAW_ENV } as const),
  };
  try {
    return await runWorkerTask<DrawInput, DrawResult>(task);
  } catch (error) {
    // A machine short of memory ends what is large: everything that the run paid for is worth another try.
    if (!(error instanceof BbdError) || error.code !== 'WORKER_DIED') throw error;
    return runWorkerTask<DrawInput, DrawResult>(task);
  }
}
