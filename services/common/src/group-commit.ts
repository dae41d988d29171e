/** What came of one change; those that were written with it may have come to another end. */
export type Outcome = { value: unknown } | { error: unknown };

export function outcomeOf(apply: () => unknown): Outcome {
  try {
    return { value: apply() };
  } catch (error) {
    return { error };
  }
}

/** One write at a time: changes that come while another write is under way go into the next one together. */
export class GroupCommit<Change> {
  #waiting: { change: Change; resolve: (value: unknown) => void; reject: (error: unknown) => void }[] = [];
  #isWriting = false;

  /** @param commit told of the changes in the order in which they came; what it throws is the end of all of them */
  constructor(private readonly commit: (changes: readonly Change[]) => Promise<readonly Outcome[]>) {}

  /** @returns what `commit` said of this change */
  submit(change: Change): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ change, resolve, reject });
      if (!this.#isWriting) void this.#writeAll();
    });
  }

  async #writeAll(): Promise<void> {
    this.#isWriting = true;
    // Changes of the same turn of the event loop go into the same write.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      try {
        const outcomes = await this.commit(batch.map(({ change }) => change));
        batch.forEach(({ resolve, reject }, index) => {
          const outcome = outcomes[index]!;
          if ('error' in outcome) reject(outcome.error);
          else resolve(outcome.value);
        });
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    this.#isWriting = false;
  }
}
