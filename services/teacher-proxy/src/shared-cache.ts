import { asBbdError } from '@bbdistill/common';
import type { ByteBucket, Logger } from '@bbdistill/common';
import { decodeEntry, encodeEntry } from './cache.js';
import type { AnswerCache, AnswerKey, CachedAnswer } from './cache.js';

/**
 * The answers of all replicas in a shared bucket, with those that this machine has seen in front of it. An answer never
 * changes what it says, so what is known here needs no look elsewhere; one that is damaged is taken from the other side.
 */
export class SharedAnswerCache implements AnswerCache {
  readonly #keeping = new Set<Promise<void>>();

  constructor(
    private readonly local: AnswerCache,
    private readonly bucket: ByteBucket,
    private readonly logger: Logger,
  ) {}

  async get(key: AnswerKey): Promise<CachedAnswer | undefined> {
    return (await this.getMany([key]))[0];
  }

  async getMany(keys: readonly AnswerKey[], fresh = false): Promise<(CachedAnswer | undefined)[]> {
    const found = await this.local.getMany(keys);
    const missing = keys.flatMap((_, index) => (found[index] ? [] : [index]));
    if (missing.length === 0) return found;
    const values = await this.bucket.getMany(
      missing.map((index) => keys[index]!),
      fresh,
    );
    const learnt: { key: AnswerKey; answer: CachedAnswer }[] = [];
    missing.forEach((index, at) => {
      const value = values[at];
      const answer = value && decodeEntry(Buffer.from(value.buffer, value.byteOffset, value.byteLength));
      if (!answer) return;
      found[index] = answer;
      learnt.push({ key: keys[index]!, answer });
    });
    if (learnt.length > 0) this.#keep(learnt);
    return found;
  }

  async putMany(entries: readonly { key: AnswerKey; answer: CachedAnswer }[]): Promise<void> {
    const shared = this.bucket.putMany(entries.map(({ key, answer }) => ({ key, value: encodeEntry(answer) })));
    await Promise.all([this.local.putMany(entries), shared]);
  }

  /** Closes what is in front; the bucket belongs to the stores. */
  async close(): Promise<void> {
    await Promise.all(this.#keeping);
    await this.local.close();
  }

  /** Only to be quicker the next time: nobody waits for it. */
  #keep(entries: { key: AnswerKey; answer: CachedAnswer }[]): void {
    const keeping = this.local
      .putMany(entries)
      .catch((error: unknown) => {
        this.logger.warn({ err: asBbdError(error) }, 'answers of other replicas could not be kept here');
      })
      .finally(() => this.#keeping.delete(keeping));
    this.#keeping.add(keeping);
  }
}
