import { asBbdError } from '@bbdistill/common';
import type { ByteBucket, Logger } from '@bbdistill/common';
import { Evictor, USE_STEP_MS } from './cache-bound.js';
import type { CacheBound } from './cache-bound.js';
import { decodeEntry, encodeEntry } from './cache.js';
import type { AnswerCache, AnswerKey, CachedAnswer, EmbeddedAnswerCache } from './cache.js';

/** After so large a part of the bound the bucket's size is looked at again. */
const SIZE_LOOK_PART = 0.02;

/**
 * The answers of all replicas in a shared bucket, with those that this machine has seen in front of it. An answer never
 * changes what it says, so what is known here needs no look elsewhere; one that is damaged is taken from the other side.
 */
export class SharedAnswerCache implements AnswerCache {
  readonly #keeping = new Set<Promise<void>>();
  readonly #evictor: Evictor | undefined;
  #putBytes = Infinity;

  /**
   * @param local bounded where the bucket is: it knows what was used last
   * @param bound of the bucket; absent: it grows until the stream is full
   */
  constructor(
    private readonly local: EmbeddedAnswerCache,
    private readonly bucket: ByteBucket,
    private readonly logger: Logger,
    private readonly bound?: CacheBound,
  ) {
    this.#evictor =
      bound && new Evictor('the shared bucket of answers', bound, (...limits) => bucket.dropOldest(...limits));
  }

  async get(key: AnswerKey): Promise<CachedAnswer | undefined> {
    return (await this.getMany([key]))[0];
  }

  async getMany(keys: readonly AnswerKey[], fresh = false): Promise<(CachedAnswer | undefined)[]> {
    const stale = new Set(this.bound ? this.local.staleUses(keys) : []);
    const found = await this.local.getMany(keys);
    // In use again: the bucket, which goes by when an answer was put, must know.
    const renewed = keys.flatMap((key, index) => {
      const answer = found[index];
      return answer && stale.has(key) ? [{ key, answer }] : [];
    });
    if (renewed.length > 0) this.#keep(() => this.#share(renewed));
    const missing = keys.flatMap((_, index) => (found[index] ? [] : [index]));
    if (missing.length === 0) return found;
    const values = await this.bucket.getMany(
      missing.map((index) => keys[index]!),
      fresh,
    );
    const learnt: { key: AnswerKey; answer: CachedAnswer }[] = [];
    const old: { key: AnswerKey; answer: CachedAnswer }[] = [];
    missing.forEach((index, at) => {
      const held = values[at];
      if (!held) return;
      const { value, putAtMs } = held;
      const answer = decodeEntry(Buffer.from(value.buffer, value.byteOffset, value.byteLength));
      if (!answer) return;
      found[index] = answer;
      learnt.push({ key: keys[index]!, answer });
      if (this.bound && putAtMs < this.bound.clock.nowMs() - USE_STEP_MS) old.push({ key: keys[index]!, answer });
    });
    if (learnt.length > 0) this.#keep(() => this.local.putMany(learnt));
    if (old.length > 0) this.#keep(() => this.#share(old));
    return found;
  }

  async putMany(entries: readonly { key: AnswerKey; answer: CachedAnswer }[]): Promise<void> {
    await Promise.all([this.local.putMany(entries), this.#share(entries)]);
  }

  /** Closes what is in front; the bucket belongs to the stores. */
  async close(): Promise<void> {
    await Promise.all(this.#keeping);
    await this.#evictor?.settled();
    await this.local.close();
  }

  async #share(entries: readonly { key: AnswerKey; answer: CachedAnswer }[]): Promise<void> {
    const values = entries.map(({ key, answer }) => ({ key, value: encodeEntry(answer) }));
    await this.bucket.putMany(values);
    if (!this.bound || !this.#evictor) return;
    for (const { value } of values) this.#putBytes += value.length;
    // Others put as well: its size is asked for once in a while.
    if (this.#putBytes < this.bound.maxBytes * SIZE_LOOK_PART) return;
    this.#putBytes = 0;
    this.#keep(async () => this.#evictor?.note(await this.bucket.bytes()));
  }

  /** Only to be quicker the next time: nobody waits for it. */
  #keep(work: () => Promise<void>): void {
    const keeping = work()
      .catch((error: unknown) => {
        this.logger.warn({ err: asBbdError(error) }, 'answers that are in use could not be kept');
      })
      .finally(() => this.#keeping.delete(keeping));
    this.#keeping.add(keeping);
  }
}
