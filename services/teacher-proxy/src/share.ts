import {
  GroupCommit,
  KeyExistsError,
  RevisionMismatchError,
  asBbdError,
  decodeJson,
  encodeJson,
  outcomeOf,
} from '@bbdistill/common';
import type { Outcome, StateStore } from '@bbdistill/common';
import { openCall, usedBy } from './ledger-record.js';
import type { OpenCall, Phase, ReserveRequest, Settlement, Used } from './ledger-record.js';
import type { Price } from './registry.js';

/** What a chunk may be spent for. */
export interface ChunkGrant {
  images: number;
  moneyMicros: number;
  /** Images of the month's free tier among them. */
  free: number;
}

/** A part of a run's budget that one process spends call by call, in a record that only it writes. */
export interface Chunk extends ChunkGrant {
  run: string;
  phase: Phase;
  open: Record<string, OpenCall>;
  used: Used;
}

/** The chunks of one process. */
export interface ShareRecord {
  schema: 1;
  chunks: Record<string, Chunk>;
  /** Others took the process for dead: they bring its calls to an end, and it writes no more. */
  sealed?: true;
}

export const sharesOf = (teacher: string) => `ledger-shares/${teacher}/`;

export const noUsage = (): Used => ({
  settled: 0,
  unknown: 0,
  failed: 0,
  retried: 0,
  calls: 0,
  moneyMicros: 0,
  free: 0,
});

/** What no call holds and nothing is spent of. */
export function leftOf({ images, moneyMicros, free, used, open }: Chunk): ChunkGrant {
  const left = {
    images: images - used.settled - used.unknown,
    moneyMicros: moneyMicros - used.moneyMicros,
    free: free - used.free,
  };
  for (const call of Object.values(open)) {
    left.images -= call.images;
    left.moneyMicros -= call.moneyMicros;
    left.free -= call.free ?? 0;
  }
  return left;
}

/** Sets a part of the chunk aside for a call. @returns the images granted: 0 where the chunk can't pay for one */
export function carve(chunk: Chunk, request: ReserveRequest, price: Price): number {
  const left = leftOf(chunk);
  let images = Math.min(request.images, left.images);
  const forImages = left.moneyMicros - price.perCallMicros;
  if (forImages < 0) return 0;
  if (price.perImageMicros > 0) images = Math.min(images, left.free + Math.floor(forImages / price.perImageMicros));
  if (images <= 0) return 0;
  chunk.open[request.callId] = openCall(request, images, left.free, price);
  return images;
}

/** Ends a call of the chunk. @returns false where it had ended before */
export function settleIn(chunk: Chunk, callId: string, settlement: Settlement, price: Price): boolean {
  const call = chunk.open[callId];
  if (!call) return false;
  delete chunk.open[callId];
  const used = usedBy(settlement, call, price);
  for (const [counter, amount] of Object.entries(used) as [keyof Used, number][]) chunk.used[counter] += amount;
  return true;
}

/** The chunk of an open call. */
export function chunkWith(record: ShareRecord, callId: string): Chunk | undefined {
  return Object.values(record.chunks).find(({ open }) => open[callId]);
}

type Change = (record: ShareRecord) => unknown;

/**
 * Changes the record of one process by compare-and-set; what waits while another write is under way is written together.
 * Only that process writes it, until others take it for dead.
 */
export class ShareWriter {
  #known: { record: ShareRecord; bytes: Uint8Array; revision: number | undefined } | undefined;
  readonly #changes = new GroupCommit<Change>((changes) => this.#commit(changes));
  /** What happened and could not be written. */
  #owed: Change[] = [];

  constructor(
    private readonly state: StateStore,
    private readonly key: string,
  ) {}

  /** As this process read or wrote it last. */
  get record(): ShareRecord | undefined {
    return this.#known?.record;
  }

  change<T>(apply: (record: ShareRecord) => T): Promise<T> {
    return this.#changes.submit(apply) as Promise<T>;
  }

  /** Where the store is away this fails, and is made up for by the next write. */
  async soonerOrLater<T>(apply: (record: ShareRecord) => T): Promise<T> {
    try {
      return await this.change(apply);
    } catch (error) {
      this.#owed.push(apply);
      throw error;
    }
  }

  /** Takes the record out if, as it stands, none of its chunks is needed any more. */
  async removeIf(isDone: (record: ShareRecord) => Promise<boolean>): Promise<void> {
    const found = await this.state.get(this.key);
    if (!found || !(await isDone(decodeJson<ShareRecord>(found.value)))) return;
    this.#known = undefined;
    await this.state.delete(this.key, found.revision).catch((error: unknown) => {
      // Written meanwhile: its process goes on.
      if (!(error instanceof RevisionMismatchError)) throw error;
    });
  }

  async #commit(changes: readonly Change[]): Promise<Outcome[]> {
    try {
      return await this.#write(changes);
    } catch (error) {
      // Whether the last write was carried out isn't known: the record tells when it can be read again.
      this.#known = undefined;
      throw asBbdError(error);
    }
  }

  async #write(changes: readonly Change[]): Promise<Outcome[]> {
    for (;;) {
      const { bytes, revision } = (this.#known ??= await this.#load());
      const record = decodeJson<ShareRecord>(bytes);
      const owed = this.#owed.length;
      for (const apply of this.#owed) apply(record);
      const outcomes = changes.map((apply) => outcomeOf(() => apply(record)));
      const after = encodeJson(record);
      if (Buffer.compare(bytes, after) === 0) {
        this.#owed.splice(0, owed);
        return outcomes;
      }
      try {
        const written =
          revision === undefined
            ? await this.state.create(this.key, after)
            : await this.state.update(this.key, after, revision);
        this.#known = { record, bytes: after, revision: written };
        this.#owed.splice(0, owed);
        return outcomes;
      } catch (error) {
        this.#known = undefined;
        if (!(error instanceof RevisionMismatchError || error instanceof KeyExistsError)) throw error;
      }
    }
  }

  async #load(): Promise<{ record: ShareRecord; bytes: Uint8Array; revision: number | undefined }> {
    const entry = await this.state.get(this.key);
    const bytes = entry?.value ?? encodeJson({ schema: 1, chunks: {} } satisfies ShareRecord);
    return { record: decodeJson<ShareRecord>(bytes), bytes, revision: entry?.revision };
  }
}

/** The records of chunks of a teacher that this process has to do with. */
export class Shares {
  readonly #writers = new Map<string, ShareWriter>();
  /** Of this process's calls that are set aside in a chunk. */
  readonly #own = new Map<string, string>();
  /** Of other processes' calls, as they were read last. */
  #others: ReadonlyMap<string, string> = new Map();

  constructor(
    private readonly state: StateStore,
    private readonly teacher: string,
  ) {}

  of(holder: string): ShareWriter {
    let writer = this.#writers.get(holder);
    if (!writer) this.#writers.set(holder, (writer = new ShareWriter(this.state, sharesOf(this.teacher) + holder)));
    return writer;
  }

  /** Whose chunk the call is set aside in, as far as this process knows. */
  holderOf(callId: string): string | undefined {
    return this.#own.get(callId) ?? this.#others.get(callId);
  }

  note(callId: string, holder: string): void {
    this.#own.set(callId, holder);
  }

  noteOthers(holders: ReadonlyMap<string, string>): void {
    this.#others = holders;
  }

  forget(callId: string): void {
    this.#own.delete(callId);
  }

  /** Takes out what the holder has, unless one of its chunks is open: by what `openOf` reads after the record itself. */
  async remove(holder: string, openOf: () => Promise<Record<string, OpenCall>>): Promise<void> {
    await this.of(holder).removeIf(async ({ chunks }) => {
      const ids = Object.keys(chunks);
      if (ids.length === 0) return true;
      const open = await openOf();
      return ids.every((chunkId) => !open[chunkId]);
    });
  }

  /** Forgets a process that is gone. */
  forgetHolder(holder: string): void {
    this.#writers.delete(holder);
  }
}
