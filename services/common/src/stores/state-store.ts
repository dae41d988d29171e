import { ConflictError } from '../errors.js';

export interface StateEntry {
  key: string;
  value: Uint8Array;
  /** Grows with every write to the store; 1 or more. */
  revision: number;
}

export type StateChange = { type: 'put'; entry: StateEntry } | { type: 'delete'; key: string; revision: number };

/**
 * Small records under keys of the form `runs/abc`: parts of letters, digits, `-`, `_`, `=` and `.` joined by `/`.
 * One key at a time, no transactions, no TTL: an expiry is a value in the record.
 */
export interface StateStore {
  get(key: string): Promise<StateEntry | undefined>;
  /**
   * @param signal after its abort a write that could not be made yet is given up
   * @returns the revision, once the write is durable
   * @throws KeyExistsError
   * @throws CancelledError where the signal aborted first
   */
  create(key: string, value: Uint8Array, signal?: AbortSignal): Promise<number>;
  /** @throws RevisionMismatchError where the record changed or is gone. */
  update(key: string, value: Uint8Array, expectedRevision: number, signal?: AbortSignal): Promise<number>;
  /** @throws RevisionMismatchError where the record changed; deleting what isn't there is a mismatch too. */
  delete(key: string, expectedRevision: number): Promise<void>;
  /** Entries whose key starts with the prefix, by key. `''` lists all. */
  list(prefix: string): AsyncIterable<StateEntry>;
  /** The entries now, then every change, until the signal aborts (which ends the loop without an error). */
  watch(prefix: string, signal: AbortSignal): AsyncIterable<StateChange>;
  /**
   * One record now, then every change of it, until the signal aborts. However many such watches there are, they cost
   * the store no more than a few.
   */
  watchKey(key: string, signal: AbortSignal): AsyncIterable<StateChange>;
  close(): Promise<void>;
}

/** `create` of a key that is there. */
export class KeyExistsError extends ConflictError {
  constructor(readonly key: string) {
    super(`the record ${key} exists already`, { code: 'KEY_EXISTS', retryable: false });
  }
}

/** Another writer was first. */
export class RevisionMismatchError extends ConflictError {
  constructor(
    readonly key: string,
    readonly expectedRevision: number,
    readonly foundRevision: number | undefined,
  ) {
    super(`the record ${key} is at revision ${foundRevision ?? 'none'}, not ${expectedRevision}`, {
      code: 'REVISION_MISMATCH',
    });
  }
}
