import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';
import type { MessagePort, TransferListItem } from 'node:worker_threads';
import { TASK_MARK, THREAD_LINGER_MS } from './task-channel.js';
import type { FromTask, TaskHost, TaskOptions, TaskPort, ToTask } from './task-channel.js';

/** A thread does one task after the other. */
interface Thread {
  worker: Worker;
  /** Number of its last task. */
  task: number;
}

type Listener = Parameters<Worker['on']>[1];

interface FreeThread {
  thread: Thread;
  /** It waits no longer. */
  leave: () => void;
}

/** A thread that keeps more in memory than this takes no other task. */
const MAX_KEPT_BYTES = 96 * 2 ** 20;

/** Threads that wait for another task, by script. */
const free = new Map<string, FreeThread[]>();

/** Does the task in a thread of its own, which may have done others before. */
export function startThread(
  script: URL,
  input: unknown,
  { transfer = [], threadLingerMs = THREAD_LINGER_MS }: TaskOptions = {},
): TaskHost {
  const thread = takeFree(script) ?? { worker: new Worker(script, { workerData: TASK_MARK }), task: 0 };
  const { worker } = thread;
  const task = ++thread.task;
  const listeners: [string, Listener][] = [];
  const on = (name: string, listener: Listener) => {
    listeners.push([name, listener]);
    worker.on(name, listener);
  };
  const send = (sent: ToTask, buffers: readonly TransferListItem[] = []) => worker.postMessage(sent, buffers);
  let mayGoOn: boolean | undefined;
  let isReleased = false;
  const leave = () => {
    for (const [name, listener] of listeners) worker.off(name, listener);
    if (mayGoOn !== undefined) letWait(script, thread, mayGoOn, threadLingerMs);
  };
  on('message', (sent: FromTask) => {
    if (sent.task !== task || !('mayGoOn' in sent)) return;
    mayGoOn = sent.mayGoOn;
    if (isReleased) leave();
  });
  send({ task, input }, transfer);
  return {
    onMessage: (listener) =>
      on('message', (sent: FromTask) => {
        if (sent.task === task && 'message' in sent) listener(sent.message);
      }),
    onFailure(listener) {
      on('error', listener);
      on('messageerror', listener);
    },
    onExit: (listener) => on('exit', (code: number) => listener(`exit code ${code}`)),
    send: (message) => send({ task, message }),
    release() {
      isReleased = true;
      // What it does beside its result must not keep the process alive.
      worker.unref();
      if (mayGoOn !== undefined) leave();
    },
    end: async () => void (await worker.terminate()),
  };
}

function takeFree(script: URL): Thread | undefined {
  const found = free.get(script.href)?.pop();
  found?.leave();
  found?.thread.worker.ref();
  return found?.thread;
}

function letWait(script: URL, thread: Thread, mayGoOn: boolean, lingerMs: number): void {
  const { worker } = thread;
  const others = free.get(script.href) ?? [];
  free.set(script.href, others);
  const leave = () => {
    clearTimeout(goesAt);
    worker.off('error', leave).off('exit', leave);
    if (others.includes(waiting)) others.splice(others.indexOf(waiting), 1);
  };
  const waiting: FreeThread = { thread, leave };
  const goesAt = setTimeout(
    () => {
      leave();
      void worker.terminate();
    },
    mayGoOn ? Math.max(lingerMs, THREAD_LINGER_MS) : THREAD_LINGER_MS,
  ).unref();
  if (mayGoOn) others.push(waiting);
  // What it left running may yet fail: that is nobody's task.
  worker.on('error', leave).on('exit', leave);
}

/** Whether this thread was started for tasks. */
export const isTaskThread = (): boolean => !isMainThread && parentPort !== null && workerData === TASK_MARK;

/** Calls back for every task that this thread is given. */
export function onThreadTask(serve: (port: TaskPort) => void): void {
  const port = parentPort!;
  let listener: ((message: unknown) => void) | undefined;
  let current = 0;
  port.on('message', (sent: ToTask) => {
    if ('input' in sent) {
      current = sent.task;
      listener = undefined;
      serve(portOf(port, sent.task, sent.input, (wanted) => (listener = wanted)));
    } else if (sent.task === current) listener?.(sent.message);
  });
}

function portOf(
  port: MessagePort,
  task: number,
  input: unknown,
  onMessage: (listener: (message: unknown) => void) => void,
): TaskPort {
  const send = (sent: FromTask, transfer: readonly TransferListItem[] = []) => port.postMessage(sent, transfer);
  return {
    input,
    send: (message, transfer) => send({ task, message }, transfer),
    onMessage,
    close(isSound) {
      const { heapUsed, external } = process.memoryUsage();
      send({ task, mayGoOn: isSound && heapUsed + external <= MAX_KEPT_BYTES });
    },
  };
}
