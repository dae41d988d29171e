import type { TransferListItem } from 'node:worker_threads';

/**
 * How long a thread stays when it has done its work. Node 20 aborts the whole process where a thread goes while V8 is
 * still compiling what it ran in the background; besides, the next task finds its modules loaded.
 */
export const THREAD_LINGER_MS = 1_000;

export interface TaskOptions {
  /** Buffers of the input that go over to a thread; to a process everything is copied. */
  transfer?: readonly TransferListItem[];
  /** How long a process waits for another task of its script before it ends. Default 0: one process a task. */
  processLingerMs?: number;
  /** How long a thread waits for another task of its script. Default {@link THREAD_LINGER_MS}, and never less. */
  threadLingerMs?: number;
  /** What is in a process's environment beside what is in this one's. */
  processEnv?: Readonly<Record<string, string>>;
}

/** Marks what was started for tasks. */
export const TASK_MARK = 'bbdistill-task';

/** Tasks are numbered, as a thread or a process does one after the other. */
export type ToTask = { task: number; input: unknown } | { task: number; message: unknown };
/** `mayGoOn` comes last: whoever did the task is done with it, and takes another one or not. */
export type FromTask = { task: number; message: unknown } | { task: number; mayGoOn: boolean };

/** The side that started a task. */
export interface TaskHost {
  onMessage(listener: (message: unknown) => void): void;
  /** The thread threw outside its task, or a message couldn't be read. */
  onFailure(listener: (error: unknown) => void): void;
  /** Called after the last message. `how` says with what it ended, e.g. `exit code 3`, `signal SIGSEGV`. */
  onExit(listener: (how: string) => void): void;
  send(message: unknown): void;
  /** Once the task has said how it ended: nothing more is wanted of it. */
  release(): void | Promise<void>;
  /** Ends it, whatever it does. */
  end(): Promise<void>;
}

/** The task's side. */
export interface TaskPort {
  input: unknown;
  send(message: unknown, transfer: readonly TransferListItem[]): void;
  onMessage(listener: (message: unknown) => void): void;
  /**
   * The task is over; what was sent still arrives.
   * @param isSound whether its thread or process may take another one
   */
  close(isSound: boolean): void;
}
