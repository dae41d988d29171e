import { fork } from 'node:child_process';
import { once } from 'node:events';
import { constants, setPriority } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';
import type { TransferListItem } from 'node:worker_threads';

/** `process`: for native addons that a thread would crash, or that would take the service down with them. */
export type TaskIsolation = 'thread' | 'process';

/** The side that started a task. */
export interface TaskHost {
  onMessage(listener: (message: unknown) => void): void;
  /** The thread threw outside its task, or a message couldn't be read. */
  onFailure(listener: (error: unknown) => void): void;
  /** Called after the last message. `how` says with what it ended, e.g. `exit code 3`, `signal SIGSEGV`. */
  onExit(listener: (how: string) => void): void;
  send(message: unknown): void;
  /** Ends it, whatever it does. */
  end(): Promise<void>;
}

/** The task's side. */
export interface TaskPort {
  input: Promise<unknown>;
  send(message: unknown, transfer: readonly TransferListItem[]): void;
  onMessage(listener: (message: unknown) => void): void;
  /** What was sent still arrives. */
  close(): void;
}

const MARK = 'bbdistill-task';

export function startThread(script: URL, input: unknown, transfer: readonly TransferListItem[] = []): TaskHost {
  const worker = new Worker(script, { workerData: { [MARK]: input }, transferList: [...transfer] });
  return {
    onMessage: (listener) => void worker.on('message', listener),
    onFailure: (listener) => void worker.on('error', listener).on('messageerror', listener),
    onExit: (listener) => void worker.on('exit', (code) => listener(`exit code ${code}`)),
    send: (message) => worker.postMessage(message),
    end: async () => void (await worker.terminate()),
  };
}

export function startProcess(script: URL, input: unknown): TaskHost {
  const child = fork(fileURLToPath(script), [MARK], {
    serialization: 'advanced',
    // Flags of this process, of a test runner or a debugger, aren't meant for the task.
    execArgv: [],
    // A library that prints must not write into this process's results.
    stdio: ['ignore', 2, 2, 'ipc'],
  });
  const gone = once(child, 'exit');
  const drained = once(child, 'disconnect');
  const ended = Promise.all([gone, drained]);
  // Where the process can't even be started, `error` is all there is.
  for (const promise of [gone, drained, ended]) promise.catch(() => undefined);
  child.send({ [MARK]: input });
  return {
    onMessage: (listener) => void child.on('message', listener),
    onFailure: (listener) => void child.on('error', listener),
    // Messages may still be under way when the process has ended; none is once the channel has closed.
    onExit: (listener) =>
      void ended.then(
        () => listener(child.signalCode ? `signal ${child.signalCode}` : `exit code ${child.exitCode}`),
        () => undefined,
      ),
    // It may have ended by itself meanwhile; then there is nobody to tell.
    send: (message) => void (child.connected && child.send(message as object, () => undefined)),
    async end() {
      if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
      child.kill('SIGKILL');
      await gone;
    },
  };
}

/** The port of the task that this thread or process was started for; undefined where it was started for none. */
export function taskPort(): TaskPort | undefined {
  return process.argv[2] === MARK && process.send !== undefined ? processPort() : threadPort();
}

/** A task takes all of a core for as long as it lasts: health checks and callers, who want little, go before it. */
function goAfterCallers(): void {
  try {
    setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // A system that doesn't let it shares evenly.
  }
}

function threadPort(): TaskPort | undefined {
  const port = parentPort;
  const data = workerData as Record<string, unknown> | undefined;
  if (isMainThread || !port || !data || !(MARK in data)) return undefined;
  // Only there a thread has a priority of its own.
  if (process.platform === 'linux') goAfterCallers();
  return {
    input: Promise.resolve(data[MARK]),
    send: (message, transfer) => port.postMessage(message, transfer),
    onMessage: (listener) => void port.on('message', listener),
    close: () => port.close(),
  };
}

function processPort(): TaskPort {
  goAfterCallers();
  let lastSent: Promise<unknown> = Promise.resolve();
  const input = once(process, 'message').then(([first]) => (first as Record<string, unknown>)[MARK]);
  // Ctrl-C reaches every process of a terminal: how a task stops is for the process that started it to say.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => undefined);
  // Nobody is left to want the result.
  process.on('disconnect', () => process.exit(1));
  return {
    input,
    send: (message) => {
      lastSent = new Promise((resolve) => process.send?.(message, undefined, undefined, resolve));
    },
    onMessage: (listener) => void input.then(() => process.on('message', listener)),
    close: () => void lastSent.then(() => process.exit(0)),
  };
}
