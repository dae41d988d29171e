import { KeyExistsError, RevisionMismatchError, decodeJson, encodeJson } from '@bbdistill/common';
import type { StateStore } from '@bbdistill/common';

/** What a call asked about, written before it is dispatched: after a crash it tells which images are in doubt. */
export interface CallRecord {
  teacher: string;
  unit: string;
  callId: string;
  /** `unknown`: the call is over and these images never came back; kept for ever, as what was spent is. */
  state: 'asked' | 'unknown';
  /** Answer keys in hexadecimal. */
  keys: string[];
}

/** The records of the calls of all teachers: `calls/<teacher>/<unit>/<callId>`. */
export class CallLog {
  constructor(private readonly state: StateStore) {}

  /** @returns once the record is durable: its revision, which saves looking for it */
  async write(record: CallRecord): Promise<number | undefined> {
    try {
      return await this.state.create(keyOf(record), encodeJson(record));
    } catch (error) {
      if (!(error instanceof KeyExistsError)) throw error;
      return undefined;
    }
  }

  /** There is nothing to remember of the call. @returns false where others have changed its record since the revision */
  async remove(call: Omit<CallRecord, 'keys' | 'state'>, revision?: number): Promise<boolean> {
    const known = revision ?? (await this.state.get(keyOf(call)))?.revision;
    if (known === undefined) return true;
    try {
      await this.state.delete(keyOf(call), known);
      return true;
    } catch (error) {
      ignoreMismatch(error);
      return false;
    }
  }

  /** These images of the call were asked and never came back. */
  async markUnknown(call: Omit<CallRecord, 'keys' | 'state'>, keys: string[]): Promise<void> {
    const known = await this.get(call);
    if (known) await this.replaceByUnknown(call, keys, known.revision);
    else await this.write({ ...call, state: 'unknown', keys });
  }

  /**
   * As {@link markUnknown}, by a process that found the call.
   * @returns the record's new revision; undefined where it has changed since the one given
   */
  async replaceByUnknown(
    call: Omit<CallRecord, 'keys' | 'state'>,
    keys: string[],
    revision: number,
  ): Promise<number | undefined> {
    const record: CallRecord = { ...call, state: 'unknown', keys };
    try {
      return await this.state.update(keyOf(call), encodeJson(record), revision);
    } catch (error) {
      return ignoreMismatch(error);
    }
  }

  async get(
    call: Omit<CallRecord, 'keys' | 'state'>,
  ): Promise<(Pick<CallRecord, 'keys' | 'state'> & { revision: number }) | undefined> {
    const entry = await this.state.get(keyOf(call));
    if (!entry) return undefined;
    const { keys, state } = decodeJson<CallRecord>(entry.value);
    return { keys, state, revision: entry.revision };
  }

  /** Of one teacher, or of one unit of its work. */
  async *list(teacher: string, unit?: string): AsyncIterable<CallRecord> {
    const prefix = unit === undefined ? `calls/${teacher}/` : `calls/${teacher}/${unit}/`;
    for await (const entry of this.state.list(prefix)) yield decodeJson<CallRecord>(entry.value);
  }
}

const keyOf = ({ teacher, unit, callId }: Omit<CallRecord, 'keys' | 'state'>) => `calls/${teacher}/${unit}/${callId}`;

/** Somebody else has ended or recovered the same call meanwhile. */
function ignoreMismatch(error: unknown): undefined {
  if (!(error instanceof RevisionMismatchError)) throw error;
}
