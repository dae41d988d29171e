import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { TaskHost, TaskPort } from './task-channel.js';

const MARK = 'bbdistill-task';

/** Whether this process was started for a task. */
export const isTaskProcess = (): boolean => process.argv[2] === MARK && process.send !== undefined;

/** One process a task. */
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
    release: end,
    end,
  };

  async function end(): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
    child.kill('SIGKILL');
    await gone;
  }
}

/** Of the one task that this process was started for. */
export function processPort(): TaskPort {
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
