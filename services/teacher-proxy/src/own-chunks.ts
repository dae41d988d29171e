import type { Clock } from '@bbdistill/common';
import { ClaimLostError } from './claim-lost.js';
import type { Phase, ReserveRequest, Used } from './ledger-record.js';
import type { Price } from './registry.js';
import { carve, chunkWith, leftOf, noUsage } from './share.js';
import type { ChunkGrant, Shares } from './share.js';

/** So many writes that others came before, in so long: chunks get twice as large. */
const CONFLICTS_FOR_CHUNKS = 4;
const CONFLICT_WINDOW_MS = 1_000;
const MAX_CALLS_PER_CHUNK = 32;
/** No call is set aside from an older chunk: what is spent has to show in the counters that all share. */
const MAX_AGE_MS = 2_000;
/** A chunk that no call is set aside from for so long is given back. */
const IDLE_MS = 200;
const LOOK_INTERVAL_MS = 100;

/** A chunk as the process that spends it knows it. */
interface OwnChunk {
  run: string;
  phase: Phase;
  holder: string;
  images: number;
  openedAtMs: number;
  carvedAtMs: number;
  /** Being given back: nothing is set aside any more. */
  isClosing: boolean;
  /** Others may have what was left of it. */
  mayBeGivenBack: boolean;
}

export interface OwnChunksOptions {
  teacher: string;
  price: Price;
  clock: Clock;
  shares: Shares;
  /** Sets a part of the budget aside for so many calls; undefined where too little is left. */
  grant: (request: ReserveRequest, chunkId: string, calls: number) => Promise<ChunkGrant | undefined>;
  /** Enters what was spent of it, and frees the rest. To do so twice is to do so once. */
  giveBack: (chunkId: string, used: Used) => Promise<void>;
}

/**
 * Chunks of the budget that this process spends call by call. While the processes of a teacher don't come in each
 * other's way there are none: the record that all share is enough. With each conflict too many, chunks grow; with each
 * one that was too large, they shrink.
 */
export class OwnChunks {
  readonly #chunks = new Map<string, OwnChunk>();
  /** One at a time for each run and phase. */
  readonly #opening = new Map<string, Promise<boolean>>();
  #opened = 0;
  #looking: AbortController | undefined;
  /** 1: no chunks. */
  #callsPerChunk = 1;
  #conflicts = { sinceMs: -Infinity, count: 0 };

  constructor(private readonly options: OwnChunksOptions) {}

  /** Another process's write of the shared record came first. */
  noteConflict(): void {
    const nowMs = this.options.clock.monotonicMs();
    if (nowMs - this.#conflicts.sinceMs > CONFLICT_WINDOW_MS) this.#conflicts = { sinceMs: nowMs, count: 0 };
    if (++this.#conflicts.count < CONFLICTS_FOR_CHUNKS) return;
    this.#conflicts = { sinceMs: nowMs, count: 0 };
    this.#callsPerChunk = Math.min(MAX_CALLS_PER_CHUNK, this.#callsPerChunk * 2);
  }

  has(holder: string): boolean {
    return [...this.#chunks.values()].some((own) => own.holder === holder);
  }

  haveRoom(run: string): boolean {
    return [...this.#chunks].some(([chunkId, own]) => own.run === run && this.#hasRoom(chunkId, own));
  }

  /**
   * Sets a part of a chunk aside for a call, of a new one where none has room.
   * @returns 0 where the call has to be set aside in the record that all share
   * @throws ClaimLostError
   */
  async reserve(request: ReserveRequest): Promise<number> {
    while (this.#callsPerChunk > 1 || this.#chunks.size > 0) {
      const granted = await this.#carve(request);
      if (granted > 0) return granted;
      if (this.#callsPerChunk === 1 || !(await this.#open(request))) return 0;
    }
    return 0;
  }

  /** Gives back what no open call holds. */
  async close(): Promise<void> {
    this.#looking?.abort();
    for (const chunkId of [...this.#chunks.keys()]) await this.#close(chunkId);
  }

  #hasRoom(chunkId: string, { holder, isClosing, openedAtMs }: OwnChunk): boolean {
    if (isClosing || this.options.clock.monotonicMs() - openedAtMs > MAX_AGE_MS) return false;
    const chunk = this.options.shares.of(holder).record?.chunks[chunkId];
    return chunk === undefined || leftOf(chunk).images > 0;
  }

  async #carve(request: ReserveRequest): Promise<number> {
    const { shares, teacher, price, clock } = this.options;
    const { callId, run, phase, holder } = request;
    const mine = [...this.#chunks].filter(
      ([chunkId, own]) =>
        own.run === run && own.phase === phase && own.holder === holder && this.#hasRoom(chunkId, own),
    );
    if (mine.length === 0) return 0;
    // Known before it is written: where the store goes away meanwhile, the call may be in the record or not.
    shares.note(callId, holder);
    const granted = await shares.of(holder).change((record) => {
      if (record.sealed) throw new ClaimLostError(holder, teacher);
      const known = chunkWith(record, callId)?.open[callId];
      if (known) return known.images;
      for (const [chunkId, own] of mine) {
        const chunk = record.chunks[chunkId];
        if (!chunk || own.isClosing) continue;
        const images = carve(chunk, request, price);
        if (images === 0) continue;
        own.carvedAtMs = clock.monotonicMs();
        return images;
      }
      return 0;
    });
    if (granted === 0) shares.forget(callId);
    return granted;
  }

  #open(request: ReserveRequest): Promise<boolean> {
    const key = `${request.holder} ${request.phase} ${request.run}`;
    const opening = this.#opening.get(key) ?? this.#openNew(request).finally(() => this.#opening.delete(key));
    this.#opening.set(key, opening);
    return opening;
  }

  async #openNew(request: ReserveRequest): Promise<boolean> {
    const { grant, shares, teacher, clock } = this.options;
    const { callId, run, phase, holder } = request;
    // A call may have to open several: others can be quicker to use one up.
    const chunkId = `${callId}.chunk-${++this.#opened}`;
    const keep = (images: number, isKnown: boolean) => {
      const nowMs = clock.monotonicMs();
      const times = { openedAtMs: nowMs, carvedAtMs: nowMs };
      this.#chunks.set(chunkId, {
        run,
        phase,
        holder,
        images,
        ...times,
        isClosing: !isKnown,
        mayBeGivenBack: !isKnown,
      });
      void this.#lookAfter();
    };
    const granted = await grant(request, chunkId, this.#callsPerChunk).catch((error: unknown) => {
      // The store doesn't say whether it was granted, and while this process lives nobody else would give it back.
      if (!(error instanceof ClaimLostError)) keep(0, false);
      throw error;
    });
    if (!granted) return false;
    keep(granted.images, true);
    await shares.of(holder).change((record) => {
      if (record.sealed) throw new ClaimLostError(holder, teacher);
      record.chunks[chunkId] = { run, phase, ...granted, open: {}, used: noUsage() };
    });
    return true;
  }

  /** Gives back what isn't needed any more, as long as there are chunks. */
  async #lookAfter(): Promise<void> {
    if (this.#looking) return;
    const { clock } = this.options;
    const stop = (this.#looking = new AbortController());
    try {
      while (this.#chunks.size > 0) {
        await clock.sleep(LOOK_INTERVAL_MS, stop.signal);
        const nowMs = clock.monotonicMs();
        for (const [chunkId, own] of [...this.#chunks]) {
          const isIdle = nowMs - own.carvedAtMs > IDLE_MS;
          if (isIdle || !this.#hasRoom(chunkId, own)) await this.#close(chunkId).catch(() => undefined);
        }
      }
    } catch {
      // Closed: whoever closes gives the rest back.
    } finally {
      this.#looking = undefined;
    }
  }

  /** Gives a chunk back of which no open call holds a part. */
  async #close(chunkId: string): Promise<void> {
    const own = this.#chunks.get(chunkId);
    if (!own) return;
    const { shares, giveBack } = this.options;
    const share = shares.of(own.holder);
    const used = await share
      .change((record) => {
        const chunk = record.chunks[chunkId];
        if (record.sealed) return undefined;
        if (chunk && Object.keys(chunk.open).length > 0) return null;
        own.isClosing = true;
        return { ...(chunk?.used ?? noUsage()) };
      })
      .catch((error: unknown) => {
        own.isClosing = own.mayBeGivenBack;
        throw error;
      });
    if (used === null) return;
    own.mayBeGivenBack = true;
    if (used) await giveBack(chunkId, used);
    this.#chunks.delete(chunkId);
    // Where others have sealed the record, they bring its chunks to their end.
    if (!used) return;
    if ((used.settled + used.unknown) * 2 < own.images) {
      this.#callsPerChunk = Math.max(1, Math.floor(this.#callsPerChunk / 2));
    }
    await share.soonerOrLater((record) => void delete record.chunks[chunkId]);
  }
}
