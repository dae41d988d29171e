import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { TASK_NICENESS, standBack } from './stand-back.js';
import { TASK_MARK } from './task-channel.js';
import type { FromTask, TaskHost, TaskOptions, TaskPort, ToTask } from './task-channel.js';

/** A process that holds more memory than this takes no other task. */
const MAX_KEPT_RSS_BYTES = 256 * 2 ** 20;

/** A process does one task after the other, or just one. */
interface TaskProcess {
  child: ChildProcess;
  /** Number of its last task. */
  task: number;
  gone: Promise<unknown>;
  /** Told when it has gone and everything that it sent has come. */
  exitListeners: Set<() => void>;
}

type Listener = Parameters<NodeJS.EventEmitter['on']>[1];

interface FreeProcess {
  process: TaskProcess;
  /** It waits no longer. */
  leave: () => void;
}

/** Processes that wait for another task, by script. */
const free = new Map<string, FreeProcess[]>();

/** Does the task in a process of its own, which may have done others before. */
export function startProcess(
  script: URL,
  input: unknown,
  { processLingerMs = 0, processEnv = {} }: TaskOptions = {},
): TaskHost {
  const started = takeFree(script) ?? forked(script, processEnv);
  const { child, exitListeners } = started;
  const task = ++started.task;
  const listeners: [string, Listener][] = [];
  const on = (name: string, listener: Listener) => {
    listeners.push([name, listener]);
    child.on(name, listener);
  };
  const done = new Promise<boolean>((resolve) => {
    on('message', (sent: FromTask) => {
      if (sent.task === task && 'mayGoOn' in sent) resolve(sent.mayGoOn);
    });
    exitListeners.add(() => resolve(false));
  });
  // It may have ended by itself meanwhile; then there is nobody to tell.
  const send = (sent: ToTask) => void (child.connected && child.send(sent, () => undefined));
  send({ task, input });
  return {
    onMessage: (listener) =>
      on('message', (sent: FromTask) => {
        if (sent.task === task && 'message' in sent) listener(sent.message);
      }),
    onFailure: (listener) => on('error', listener),
    onExit: (listener) =>
      void exitListeners.add(() =>
        listener(child.signalCode ? `signal ${child.signalCode}` : `exit code ${child.exitCode}`),
      ),
    send: (message) => send({ task, message }),
    async release() {
      // Whoever starts the next task right after this one finds the process waiting.
      const mayGoOn = processLingerMs > 0 && (await done);
      for (const [name, listener] of listeners) child.off(name, listener);
      exitListeners.clear();
      if (mayGoOn) letWait(script, started, processLingerMs);
      else await end(started);
    },
    end: () => end(started),
  };
}

function forked(script: URL, env: Readonly<Record<string, string>>): TaskProcess {
  const child = fork(fileURLToPath(script), [TASK_MARK], {
    serialization: 'advanced',
    // A session of its own, so that it can stand back for every other process of the machine.
    detached: process.platform !== 'win32',
    env: { ...process.env, ...env },
    // Flags of this process, of a test runner or a debugger, aren't meant for the task.
    execArgv: [],
    // A library that prints must not write into this process's results.
    stdio: ['ignore', 2, 2, 'ipc'],
  });
  if (child.pid !== undefined) void standBack(child.pid, TASK_NICENESS);
  const gone = once(child, 'exit');
  const exitListeners = new Set<() => void>();
  // Messages may still be under way when the process has ended; none is once the channel has closed.
  Promise.all([gone, once(child, 'disconnect')]).then(
    () => exitListeners.forEach((listener) => listener()),
    // Where the process can't even be started, `error` is all there is.
    () => undefined,
  );
  // Whoever does a task with it listens to what concerns the task.
  child.on('error', () => undefined);
  return { child, task: 0, gone, exitListeners };
}

async function end({ child, gone }: TaskProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  child.kill('SIGKILL');
  await gone.catch(() => undefined);
}

function takeFree(script: URL): TaskProcess | undefined {
  const found = free.get(script.href)?.pop();
  found?.leave();
  found?.process.child.ref();
  found?.process.child.channel?.ref();
  return found?.process;
}

function letWait(script: URL, kept: TaskProcess, lingerMs: number): void {
  const others = free.get(script.href) ?? [];
  free.set(script.href, others);
  const leave = () => {
    clearTimeout(goesAt);
    kept.child.off('error', leave).off('exit', leave);
    if (others.includes(waiting)) others.splice(others.indexOf(waiting), 1);
  };
  const waiting: FreeProcess = { process: kept, leave };
  const goesAt = setTimeout(() => {
    leave();
    void end(kept);
  }, lingerMs).unref();
  others.push(waiting);
  kept.child.unref();
  kept.child.channel?.unref();
  // The system may end it for its memory: that is nobody's task.
  kept.child.on('error', leave).on('exit', leave);
}

/** Whether this process was started for tasks. */
export const isTaskProcess = (): boolean => process.argv[2] === TASK_MARK && process.send !== undefined;

/** Calls back for every task that this process is given. */
export function onProcessTask(serve: (port: TaskPort) => void): void {
  let listener: ((message: unknown) => void) | undefined;
  let current = 0;
  // Ctrl-C reaches every process of a terminal: how a task stops is for the process that started it to say.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => undefined);
  // Nobody is left to want a result.
  process.on('disconnect', () => process.exit(1));
  process.on('message', (sent: ToTask) => {
    if ('input' in sent) {
      current = sent.task;
      listener = undefined;
      serve(portOf(sent.task, sent.input, (wanted) => (listener = wanted)));
    } else if (sent.task === current) listener?.(sent.message);
  });
}

function portOf(task: number, input: unknown, onMessage: (listener: (message: unknown) => void) => void): TaskPort {
  const send = (sent: FromTask) => void process.send?.(sent);
  return {
    input,
    send: (message) => send({ task, message }),
    onMessage,
    close: (isSound) => send({ task, mayGoOn: isSound && process.memoryUsage.rss() <= MAX_KEPT_RSS_BYTES }),
  };
}
