import { grouped } from '@bbdistill/common';
import type { RunEvent__Output } from '@bbdistill/common/gen/bbdistill/v1/RunEvent.js';
import type { StageStatus__Output } from '@bbdistill/common/gen/bbdistill/v1/StageStatus.js';
import cliProgress from 'cli-progress';
import type { MultiBar, SingleBar } from 'cli-progress';
import { duration } from './figures.js';
import type { Output } from './output.js';

/** Without a terminal: a line at most this often per stage. */
export const LINE_INTERVAL_MS = 15_000;
/** Over how long the rate of a stage is measured. */
export const RATE_WINDOW_MS = 30_000;
const STAGE_NAME_WIDTH = 22;
/** Of a terminal that doesn't say. */
const DEFAULT_COLUMNS = 80;
const CLEAR_TO_THE_RIGHT = '\u001B[K';

/** Shows the events of a run as they come. */
export interface ProgressView {
  event(event: RunEvent__Output): void;
  /** A remark of a line; it stays where progress is drawn over itself. */
  say(line: string): void;
  /** No more events come. */
  end(): void;
}

export function progressView(
  output: Output,
  json: boolean,
  terminal: NodeJS.WriteStream = process.stderr,
): ProgressView {
  if (json) return new JsonView(output);
  return output.interactive ? new BarView(output, terminal) : new LineView(output);
}

/** One JSON object a line, for machines. */
class JsonView implements ProgressView {
  constructor(private readonly output: Output) {}

  event(event: RunEvent__Output): void {
    this.output.stdout(JSON.stringify(event, withoutOneofs));
  }

  say(line: string): void {
    this.output.stderr(line);
  }

  end(): void {}
}

/** Which optional fields are set (`_loss`) is for programs that read protobuf. */
function withoutOneofs(name: string, value: unknown): unknown {
  return name.startsWith('_') ? undefined : value;
}

/** A line when a stage starts and ends, and now and then in between. */
class LineView implements ProgressView {
  readonly #lastLineMs = new Map<string, number>();
  readonly #waiting = new Set<string>();
  readonly #rates = new StageRates();

  constructor(private readonly output: Output) {}

  event({ stage, failure, atMs }: RunEvent__Output): void {
    if (failure) this.output.stderr(`failed: ${failure.code}: ${failure.message}`);
    if (!stage) return;
    const rate = this.#rates.see(stage, atMs);
    const lastMs = this.#lastLineMs.get(stage.name);
    const ended = isEnded(stage);
    const stops = stage.waitingFor !== '' && !this.#waiting.has(stage.name);
    if (stage.waitingFor === '') this.#waiting.delete(stage.name);
    else this.#waiting.add(stage.name);
    if (lastMs !== undefined && !ended && !stops && atMs - lastMs < LINE_INTERVAL_MS) return;
    this.#lastLineMs.set(stage.name, ended ? Infinity : atMs);
    this.output.stderr(`${stage.name.padEnd(STAGE_NAME_WIDTH)} ${describeStage(stage, atMs, rate)}`);
  }

  say(line: string): void {
    this.output.stderr(line);
  }

  end(): void {}
}

/** A bar for each stage, drawn over itself. */
class BarView implements ProgressView {
  readonly #bars: MultiBar;
  readonly #byStage = new Map<string, SingleBar>();
  readonly #rates = new StageRates();
  #isDrawn = false;

  constructor(
    private readonly output: Output,
    private readonly terminal: NodeJS.WriteStream,
  ) {
    this.#bars = new cliProgress.MultiBar(
      {
        format: '{stage} {bar} {percentage}%  {text}',
        barsize: 28,
        hideCursor: true,
        clearOnComplete: false,
        forceRedraw: true,
        stream: terminal,
        // Ctrl-C ends the run in order, and the bars go on until it has ended.
        gracefulExit: false,
      },
      cliProgress.Presets.shades_classic,
    );
  }

  event({ stage, failure, atMs }: RunEvent__Output): void {
    if (failure) this.say(`failed: ${failure.code}: ${failure.message}`);
    if (!stage) return;
    const total = Math.max(1, stage.progress?.total ?? 1);
    const done = isEnded(stage) && stage.state === 'JOB_STATE_SUCCEEDED' ? total : (stage.progress?.done ?? 0);
    const text = describeStage(stage, atMs, this.#rates.see(stage, atMs));
    const payload = { stage: stage.name.padEnd(STAGE_NAME_WIDTH), text };
    this.#isDrawn = true;
    const bar = this.#byStage.get(stage.name) ?? this.#bars.create(total, done, payload);
    this.#byStage.set(stage.name, bar);
    bar.setTotal(total);
    bar.update(done, payload);
  }

  say(line: string): void {
    if (!this.#isDrawn) return this.output.stderr(line);
    // While there are bars the terminal cuts lines off instead of wrapping them, and what they cover is not cleared.
    const columns = this.terminal.columns || DEFAULT_COLUMNS;
    for (const part of wrapped(line, columns)) this.#bars.log(`${part}${CLEAR_TO_THE_RIGHT}\n`);
  }

  end(): void {
    if (!this.#isDrawn) return;
    // What was said since the last redraw.
    this.#bars.update();
    this.#bars.stop();
    this.#isDrawn = false;
  }
}

/** At spaces; a word that is longer than a line stays whole. */
function wrapped(text: string, columns: number): string[] {
  const lines = [''];
  for (const word of text.split(' ')) {
    const line = lines.at(-1)!;
    if (line === '') lines[lines.length - 1] = word;
    else if (line.length + 1 + word.length <= columns) lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(word);
  }
  return lines;
}

interface Seen {
  startedAtMs: number;
  first: Sample;
  /** Those of the window, and the last one before it. */
  samples: Sample[];
}

interface Sample {
  atMs: number;
  done: number;
}

/** How fast stages go, by what a view has seen of them: a resumed stage begins with what was done before it. */
class StageRates {
  readonly #seen = new Map<string, Seen>();

  /** @returns per second, of a stage that has ended on the whole; undefined where too little was seen */
  see(stage: StageStatus__Output, atMs: number): number | undefined {
    const { name, progress, startedAtMs } = stage;
    const sample = { atMs, done: progress?.done ?? 0 };
    let seen = this.#seen.get(name);
    const goesOn = seen?.startedAtMs === startedAtMs && sample.done >= seen.samples.at(-1)!.done;
    if (!seen || !goesOn) {
      this.#seen.delete(name);
      // A stage that is resumed has nothing done either until it tells how far it had come.
      if (sample.done <= 0) return undefined;
      seen = { startedAtMs, samples: [], first: sample };
      this.#seen.set(name, seen);
    }
    const { samples, first } = seen;
    samples.push(sample);
    while (samples.length > 2 && samples[1]!.atMs <= atMs - RATE_WINDOW_MS) samples.shift();
    const from = isEnded(stage) ? first : samples[0]!;
    const rate = (sample.done - from.done) / ((atMs - from.atMs) / 1000);
    return Number.isFinite(rate) && rate > 0 ? rate : undefined;
  }
}

function isEnded(stage: StageStatus__Output): boolean {
  return stage.endedAtMs > 0;
}

/**
 * `12 288/24 000 images, 1 020/s, 11 s left, loss 0.41`
 * @param rate per second; undefined where it isn't known
 */
export function describeStage(stage: StageStatus__Output, atMs: number, rate?: number): string {
  const { progress, reused } = stage;
  const seconds = ((isEnded(stage) ? stage.endedAtMs : atMs) - stage.startedAtMs) / 1000;
  if (stage.state === 'JOB_STATE_FAILED') return `failed after ${duration(seconds)}`;
  if (stage.state === 'JOB_STATE_CANCELLED') return `stopped after ${duration(seconds)}`;
  if (stage.state === 'JOB_STATE_QUEUED') return stage.waitingFor ? `waits: ${stage.waitingFor}` : 'queued';
  const parts: string[] = [];
  if (progress && progress.total > 0) {
    parts.push(`${grouped(progress.done)}/${grouped(progress.total)} ${progress.unit}`);
    if (!reused && rate !== undefined) {
      parts.push(`${rate >= 10 ? grouped(Math.round(rate)) : rate.toFixed(1)}/s`);
      if (!isEnded(stage)) parts.push(`${duration((progress.total - progress.done) / rate)} left`);
    }
  }
  if (!isEnded(stage) && stage.waitingFor) parts.push(`waits: ${stage.waitingFor}`);
  if (progress?.loss !== undefined) parts.push(`loss ${progress.loss.toFixed(3)}`);
  if (isEnded(stage)) parts.push(reused ? 'reused from an earlier run' : `done in ${duration(seconds)}`);
  return parts.join(', ') || 'running';
}
