import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { CancelledError, UnavailableError, systemClock } from '@bbdistill/common';
import type { Clock } from '@bbdistill/common';
import { OCR_MODEL } from './protocol.js';
import type { OcrProcessOptions, OcrTeacherReady } from './protocol.js';

export const START_TIMEOUT_MS = 60_000;
export const STOP_GRACE_MS = 5_000;
const KEPT_ERROR_CHARACTERS = 2_000;

export interface StartOcrTeacherOptions {
  /** That one question may use; questions asked at the same time run side by side. Default 1. */
  threads?: number;
  /** Default: any free port of loopback. */
  port?: number;
  signal?: AbortSignal;
  clock?: Clock;
}

/** The demo's black box, running in its own process. */
export interface OcrTeacher {
  /** `http://127.0.0.1:port`, Open Inference Protocol v2. */
  readonly url: string;
  /** Name under which it is asked. */
  readonly model: string;
  readonly pid: number;
  /** Lets questions under way be answered, then ends the process. */
  stop(): Promise<void>;
}

/**
 * Starts the text recogniser that the demo takes as its teacher. The process ends by itself when this one dies.
 * @throws UnavailableError with the process's last words where it doesn't come up
 */
export async function startOcrTeacher(options: StartOcrTeacherOptions = {}): Promise<OcrTeacher> {
  const { threads = 1, port = 0, signal, clock = systemClock } = options;
  const told: OcrProcessOptions = { threads, port };
  const child = fork(entryPoint(), [JSON.stringify(told)], {
    execArgv: [],
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  let lastWords = '';
  child.stderr?.on('data', (data: Buffer) => {
    lastWords = (lastWords + data.toString()).slice(-KEPT_ERROR_CHARACTERS);
  });
  try {
    const { url } = await ready(child, () => lastWords, clock, signal);
    return { url, model: OCR_MODEL.name, pid: child.pid!, stop: () => stop(child, clock) };
  } catch (thrown) {
    child.kill('SIGKILL');
    throw thrown;
  }
}

/** Sources run from the build as well: Node starts no TypeScript. */
function entryPoint(): string {
  return fileURLToPath(new URL('./main.js', import.meta.url)).replace(/([\\/]cli[\\/])src([\\/])/, '$1dist$2');
}

async function ready(
  child: ChildProcess,
  lastWords: () => string,
  clock: Clock,
  signal: AbortSignal | undefined,
): Promise<OcrTeacherReady> {
  const settled = new AbortController();
  const until = { signal: settled.signal };
  const timeout = clock.sleep(START_TIMEOUT_MS, settled.signal).then(() => {
    throw new UnavailableError(`the OCR teacher didn't come up within ${START_TIMEOUT_MS / 1000} s: ${lastWords()}`);
  });
  const ended = once(child, 'close', until).then(([code]) => {
    throw new UnavailableError(`the OCR teacher ended with ${String(code)} before it was ready: ${lastWords()}`);
  });
  const cancelled = new Promise<never>((_, reject) => {
    const onAbort = () => reject(new CancelledError('cancelled while the OCR teacher was starting'));
    if (signal?.aborted) onAbort();
    signal?.addEventListener('abort', onAbort, { once: true, signal: settled.signal });
  });
  const said = once(child, 'message', until).then(([message]) => message as OcrTeacherReady);
  try {
    return await Promise.race([said, ended, timeout, cancelled]);
  } finally {
    // The losers of the race fail when it is over, and nobody listens any more.
    for (const loser of [said, ended, timeout, cancelled]) loser.catch(() => undefined);
    settled.abort();
  }
}

async function stop(child: ChildProcess, clock: Clock): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  if (child.connected) child.disconnect();
  const patience = new AbortController();
  const timeout = clock.sleep(STOP_GRACE_MS, patience.signal).then(
    () => void child.kill('SIGKILL'),
    () => undefined,
  );
  await ended;
  patience.abort();
  await timeout;
}
