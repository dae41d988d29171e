import { describe, expect, it } from 'vitest';
import { GroupCommit, outcomeOf } from './group-commit.js';
import type { Outcome } from './group-commit.js';

describe('group commit', () => {
  it('writes together what comes while a write is under way, in order', async () => {
    const written: number[][] = [];
    let finish: (() => void) | undefined;
    const group = new GroupCommit<number>(async (changes) => {
      written.push([...changes]);
      if (written.length === 1) await new Promise<void>((resolve) => (finish = resolve));
      return changes.map((change) => ({ value: change * 10 }));
    });
    const first = [group.submit(1), group.submit(2)];
    await Promise.resolve();
    await Promise.resolve();
    const second = [group.submit(3), group.submit(4)];
    finish!();
    expect(await Promise.all([...first, ...second])).toEqual([10, 20, 30, 40]);
    expect(written).toEqual([
      [1, 2],
      [3, 4],
    ]);
  });

  it('fails a change alone, and all of a write that fails', async () => {
    let isAway = false;
    const group = new GroupCommit<() => number>((changes) => {
      if (isAway) return Promise.reject(new Error('away'));
      return Promise.resolve(changes.map((change): Outcome => outcomeOf(change)));
    });
    const refused = () => {
      throw new Error('refused');
    };
    const mixed = await Promise.allSettled([group.submit(() => 1), group.submit(refused), group.submit(() => 3)]);
    expect(mixed.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    isAway = true;
    const lost = await Promise.allSettled([group.submit(() => 1), group.submit(() => 2)]);
    expect(lost.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    isAway = false;
    expect(await group.submit(() => 4)).toBe(4);
  });
});
