import { ConflictError } from '../errors.js';

export interface LoggedEvent {
  /** 1, 2, 3, … within its stream, without gaps. */
  sequence: number;
  atMs: number;
  value: Uint8Array;
}

export interface ReadOptions {
  /** First sequence wanted; default 1. */
  fromSequence?: number;
  /** Go on with events as they come until the signal aborts; default false. */
  follow?: boolean;
  signal?: AbortSignal;
}

/** Ordered events of one stream (a run), resumable from any sequence. */
export interface EventLog {
  /**
   * @param expectedLastSequence 0 for an empty stream
   * @returns the new event's sequence, once it is durable
   * @throws SequenceMismatchError
   */
  append(stream: string, value: Uint8Array, expectedLastSequence: number): Promise<number>;
  /** 0 for an empty stream. */
  lastSequence(stream: string): Promise<number>;
  read(stream: string, options?: ReadOptions): AsyncIterable<LoggedEvent>;
  /** A `read` that doesn't follow ends, perhaps before the last of the events that it began with. */
  deleteStream(stream: string): Promise<void>;
  close(): Promise<void>;
}

/** Another writer appended first. */
export class SequenceMismatchError extends ConflictError {
  constructor(
    readonly stream: string,
    readonly expected: number,
    readonly found: number,
  ) {
    super(`the events of ${stream} end at ${found}, not ${expected}`, { code: 'SEQUENCE_MISMATCH' });
  }
}
