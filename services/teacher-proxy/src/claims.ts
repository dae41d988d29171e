import { GroupCommit, KeyExistsError, RevisionMismatchError } from '@bbdistill/common';
import type { Outcome, StateStore } from '@bbdistill/common';
import type { AnswerKey } from './cache.js';

/** Records that the claims of a teacher are spread over: few writes for many images, few meetings of replicas. */
const BUCKETS = 16;
/** 96 bits of the key tell images apart; a meeting of two would only make one wait for the other. */
const MARK_BYTES = 12;

type Living = () => Promise<ReadonlySet<string>>;

/** Who asks about which images, by holder. */
type Bucket = Record<string, string[]>;

/**
 * Images that a replica is about to ask about, in the state store, so that no two replicas pay for the same image. A
 * claim lasts as long as its holder lives (see `Ledger.join`), and that is longer than any call may take: whoever finds
 * a claim of a holder that is gone takes it over.
 */
export class Claims {
  readonly #prefix: string;
  readonly #writers: BucketWriter[] = [];

  constructor(
    private readonly state: StateStore,
    teacher: string,
    /** Holders that live, as the ledger has them now. */
    private readonly living: Living,
  ) {
    this.#prefix = `claims/${teacher}`;
  }

  /**
   * Claims what nobody else has claimed.
   * @returns for each key whether it is the holder's now
   */
  async take(holder: string, keys: readonly AnswerKey[]): Promise<boolean[]> {
    const taken = new Array<boolean>(keys.length).fill(false);
    await this.#eachBucket(keys, async (bucket, indices, living) => {
      const gone = new Set<string>();
      if (Object.keys(bucket).some((other) => other !== holder)) {
        const alive = await living();
        for (const other of Object.keys(bucket)) if (other !== holder && !alive.has(other)) gone.add(other);
      }
      for (const other of gone) delete bucket[other];
      const others = new Set(Object.entries(bucket).flatMap(([other, marks]) => (other === holder ? [] : marks)));
      const mine = new Set(bucket[holder] ?? []);
      for (const index of indices) {
        const mark = markOf(keys[index]!);
        taken[index] = !others.has(mark);
        if (taken[index]) mine.add(mark);
      }
      if (mine.size > 0) bucket[holder] = [...mine];
    });
    return taken;
  }

  async release(holder: string, keys: readonly AnswerKey[]): Promise<void> {
    await this.#eachBucket(keys, (bucket, indices) => {
      const done = new Set(indices.map((index) => markOf(keys[index]!)));
      const left = (bucket[holder] ?? []).filter((mark) => !done.has(mark));
      if (left.length > 0) bucket[holder] = left;
      else delete bucket[holder];
    });
  }

  async #eachBucket(
    keys: readonly AnswerKey[],
    change: (bucket: Bucket, indices: number[], living: Living) => void | Promise<void>,
  ): Promise<void> {
    const byBucket = new Map<number, number[]>();
    keys.forEach((key, index) => {
      const bucket = key[0]! % BUCKETS;
      const indices = byBucket.get(bucket);
      if (indices) indices.push(index);
      else byBucket.set(bucket, [index]);
    });
    await Promise.all(
      [...byBucket].map(([bucket, indices]) =>
        this.#changeBucket(bucket, (value, living) => change(value, indices, living)),
      ),
    );
  }

  #changeBucket(number: number, change: Change): Promise<void> {
    const key = `${this.#prefix}/${number}`;
    const writer = (this.#writers[number] ??= new BucketWriter(this.state, key, this.living));
    return writer.change(change);
  }
}

type Change = (bucket: Bucket, living: Living) => void | Promise<void>;

/** Changes of one bucket by this process: what waits while another write is under way is written together. */
class BucketWriter {
  readonly #changes = new GroupCommit<Change>((changes) => this.#commit(changes));
  #known: { text: string; revision: number | undefined } | undefined;

  constructor(
    private readonly state: StateStore,
    private readonly key: string,
    private readonly living: Living,
  ) {}

  async change(change: Change): Promise<void> {
    await this.#changes.submit(change);
  }

  async #commit(changes: readonly Change[]): Promise<Outcome[]> {
    try {
      await this.#write(changes);
    } catch (error) {
      this.#known = undefined;
      throw error;
    }
    return changes.map(() => ({ value: undefined }));
  }

  async #write(changes: readonly Change[]): Promise<void> {
    for (;;) {
      const { text, revision } = (this.#known ??= await this.#load());
      const bucket = JSON.parse(text) as Bucket;
      // Read after the bucket, at each attempt: whoever claims is in the ledger before.
      let alive: ReturnType<Living> | undefined;
      for (const change of changes) await change(bucket, () => (alive ??= this.living()));
      const after = JSON.stringify(bucket);
      try {
        const value = new TextEncoder().encode(after);
        // Also where nothing changes, the write tells whether what is known is the newest.
        const written =
          revision === undefined
            ? await this.state.create(this.key, value)
            : await this.state.update(this.key, value, revision);
        this.#known = { text: after, revision: written };
        return;
      } catch (error) {
        this.#known = undefined;
        if (!(error instanceof RevisionMismatchError || error instanceof KeyExistsError)) throw error;
      }
    }
  }

  async #load(): Promise<{ text: string; revision: number | undefined }> {
    const entry = await this.state.get(this.key);
    return { text: entry ? new TextDecoder().decode(entry.value) : '{}', revision: entry?.revision };
  }
}

const markOf = (key: AnswerKey) => key.toString('base64url', 0, MARK_BYTES);
