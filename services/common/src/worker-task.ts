import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { TransferListItem } from 'node:worker_threads';
import { systemClock } from './clock.js';
import type { Clock } from './clock.js';
import { CancelledError, ConfigError, FailedPreconditionError, asBbdError, errorOfKind } from './errors.js';
import type { BbdError, ErrorKind } from './errors.js';
import type { TaskOptions, TaskPort } from './task-channel.js';
import { onTask, startTask } from './task-transport.js';
import type { TaskIsolation } from './task-transport.js';

/** How long a task may take to stop by itself after an abort, before its thread or process is ended. */
export const DEFAULT_STOP_GRACE_MS = 5_000;

export interface WorkerTaskOptions<Input, Message> extends TaskOptions {
  /** The module that calls `serveWorkerTask`, e.g. `new URL('./fit-task.ts', import.meta.url)`; `.js` does as well. */
  script: URL;
  /** Anything that structured cloning copies. */
  input: Input;
  /** Default `thread`. */
  isolation?: TaskIsolation;
  /** Asks the task to stop, and ends it when it doesn't within the grace. */
  signal: AbortSignal;
  onMessage?: (message: Message) => void;
  /** Default {@link DEFAULT_STOP_GRACE_MS}. */
  stopGraceMs?: number;
  clock?: Clock;
}

/** What a task may use while it works. */
export interface WorkerTaskContext<Message> {
  /** Sends a message to `onMessage` on the other side. */
  readonly post: (message: Message, transfer?: readonly TransferListItem[]) => void;
  /** Aborts when the other side asks for a stop. A task that computes without awaiting never sees it. */
  readonly signal: AbortSignal;
}

/** A task's result together with the buffers in it that are handed over instead of copied. */
export class TransferredResult<Result> {
  constructor(
    readonly result: Result,
    readonly transfer: readonly TransferListItem[],
  ) {}
}

interface SentError {
  kind: ErrorKind;
  code: string;
  message: string;
  retryable: boolean;
  retryAfterMs: number | undefined;
  stack: string | undefined;
}

type FromTask<Message, Result> =
  { type: 'message'; message: Message } | { type: 'result'; result: Result } | { type: 'error'; error: SentError };

const STOP = 'stop';

/**
 * Runs heavy work in a thread or a process of its own, so that the server beside it keeps answering.
 * @throws BbdError as the task threw it; CancelledError after an abort; FailedPreconditionError where it died
 */
export async function runWorkerTask<Input, Result, Message = never>(
  options: WorkerTaskOptions<Input, Message>,
): Promise<Result> {
  if (options.signal.aborted) throw new CancelledError('cancelled before the task began');
  const { isolation = 'thread', input } = options;
  const script = builtScript(options.script);
  const host = startTask(isolation, script, input, options);
  let hasEnded = false;
  const ended = new AbortController();
  const stop = async () => {
    host.send(STOP);
    await (options.clock ?? systemClock).sleep(options.stopGraceMs ?? DEFAULT_STOP_GRACE_MS, ended.signal);
    await host.end();
  };
  const onAbort = () => void stop().catch(() => undefined);
  options.signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await new Promise<Result>((resolve, reject) => {
      host.onMessage((message) => {
        const sent = message as FromTask<Message, Result>;
        if (sent.type === 'message') return options.onMessage?.(sent.message);
        hasEnded = true;
        if (sent.type === 'result') resolve(sent.result);
        else reject(received(sent.error));
      });
      host.onFailure((error) => reject(asBbdError(error)));
      host.onExit((how) => {
        if (options.signal.aborted) reject(new CancelledError('the task was stopped'));
        else {
          const message = `the ${isolation} of ${script.pathname} ended with ${how} before its task: look at its log`;
          reject(new FailedPreconditionError(message, { code: 'WORKER_DIED', retryable: true }));
        }
      });
    });
  } finally {
    ended.abort();
    options.signal.removeEventListener('abort', onAbort);
    await (hasEnded ? host.release() : host.end());
  }
}

/**
 * The task's side: does what its thread or process is given to do. Call it at the end of the task's module.
 */
export function serveWorkerTask<Input, Result, Message = never>(
  task: (input: Input, context: WorkerTaskContext<Message>) => Promise<Result | TransferredResult<Result>>,
): void {
  if (!onTask((port) => serveOne(port, task))) {
    throw new ConfigError('a task module was loaded outside a task: start it with runWorkerTask');
  }
}

function serveOne<Input, Result, Message>(
  port: TaskPort,
  task: (input: Input, context: WorkerTaskContext<Message>) => Promise<Result | TransferredResult<Result>>,
): void {
  const send = (message: FromTask<Message, Result>, transfer: readonly TransferListItem[] = []) =>
    port.send(message, transfer);
  const stop = new AbortController();
  port.onMessage((message) => {
    if (message === STOP) stop.abort();
  });
  const context: WorkerTaskContext<Message> = {
    post: (message, transfer) => send({ type: 'message', message }, transfer),
    signal: stop.signal,
  };
  Promise.resolve()
    .then(() => task(port.input as Input, context))
    .then((result) => {
      if (result instanceof TransferredResult) send({ type: 'result', result: result.result }, result.transfer);
      else send({ type: 'result', result });
      port.close(true);
    })
    .catch((thrown: unknown) => {
      send({ type: 'error', error: sendable(asBbdError(thrown)) });
      port.close(false);
    });
}

/** Tasks run built JavaScript: of a script under `src/`, as in tests, the one under `dist/`. */
export function builtScript(script: URL): URL {
  const built = new URL(script);
  if (built.pathname.endsWith('.ts')) {
    built.pathname = built.pathname.replace(/\/src\/(?!.*\/src\/)/, '/dist/').replace(/\.ts$/, '.js');
  }
  if (!existsSync(fileURLToPath(built))) {
    throw new ConfigError(`${fileURLToPath(built)} is not there: build first ("npm run build")`, { code: 'NOT_BUILT' });
  }
  return built;
}

function sendable(error: BbdError): SentError {
  const { kind, code, message, retryable, retryAfterMs, stack } = error;
  return { kind, code, message, retryable, retryAfterMs, stack };
}

function received({ kind, code, message, retryable, retryAfterMs, stack }: SentError): BbdError {
  const error = errorOfKind(kind, message, {
    code,
    retryable,
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  });
  // Where it went wrong is in the task, not here.
  if (stack !== undefined) error.stack = stack;
  return error;
}
