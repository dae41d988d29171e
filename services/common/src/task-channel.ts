import type { TransferListItem } from 'node:worker_threads';

export interface TaskOptions {
  /** Buffers of the input that go over to a thread; to a process everything is copied. */
  transfer?: readonly TransferListItem[];
  /** The thread that does the task does no other one, before or after: for libraries that keep memory until it goes. */
  ownThread?: boolean;
}

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
  input: Promise<unknown>;
  send(message: unknown, transfer: readonly TransferListItem[]): void;
  onMessage(listener: (message: unknown) => void): void;
  /**
   * The task is over; what was sent still arrives.
   * @param isSound whether its thread may take another one
   */
  close(isSound: boolean): void;
}
