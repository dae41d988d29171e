import { TASK_NICENESS, standBackHere } from './stand-back.js';
import type { TaskHost, TaskOptions, TaskPort } from './task-channel.js';
import { isTaskProcess, onProcessTask, startProcess } from './task-process.js';
import { isTaskThread, onThreadTask, startThread } from './task-threads.js';

/** `process`: for native addons that a thread would crash, or that would take the service down with them. */
export type TaskIsolation = 'thread' | 'process';

export function startTask(isolation: TaskIsolation, script: URL, input: unknown, options: TaskOptions): TaskHost {
  return isolation === 'process' ? startProcess(script, input, options) : startThread(script, input, options);
}

/**
 * Calls back for every task that this thread or process is given.
 * @returns false where it was started for none
 */
export function onTask(serve: (port: TaskPort) => void): boolean {
  if (isTaskProcess()) {
    onProcessTask(serve);
    return true;
  }
  if (!isTaskThread()) return false;
  // Only on Linux a thread has a priority of its own.
  if (process.platform === 'linux') standBackHere(TASK_NICENESS);
  onThreadTask(serve);
  return true;
}
