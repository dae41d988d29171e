import { sha256Hex } from '@bbdistill/common';
import { describe, expect, it } from 'vitest';
import { MemoryState } from '../../../test/helpers/memory-state.js';
import { Claims } from './claims.js';

const key = (n: number) => Buffer.from(sha256Hex(String(n)), 'hex');
const keys = (from: number, to: number) => Array.from({ length: to - from }, (_, n) => key(from + n));

describe('claims', () => {
  it('take - each image belongs to one of the replicas that want it at once', async () => {
    const state = new MemoryState();
    const claims = new Claims(state, 't', async () => new Set(['a', 'b', 'c']));
    const taken = await Promise.all(['a', 'b', 'c'].map((holder) => claims.take(holder, keys(0, 300))));
    for (let n = 0; n < 300; n++) expect(taken.filter((each) => each[n]).length).toBe(1);
    expect(state.writes).toBeLessThan(3 * 64 * 3);
  });

  it('release - frees the images named and no others', async () => {
    const claims = new Claims(new MemoryState(), 't', async () => new Set(['a', 'b']));
    await claims.take('a', keys(0, 20));
    await claims.release('a', keys(0, 10));
    expect(await claims.take('b', keys(5, 15))).toEqual([
      ...Array<boolean>(5).fill(true),
      ...Array<boolean>(5).fill(false),
    ]);
    expect(await claims.take('a', keys(10, 12))).toEqual([true, true]);
  });

  it('a holder that is gone - is taken over from', async () => {
    const living = new Set(['a', 'b']);
    const claims = new Claims(new MemoryState(), 't', async () => living);
    await claims.take('a', keys(0, 5));
    expect(await claims.take('b', keys(0, 5))).not.toContain(true);
    living.delete('a');
    expect(await claims.take('b', keys(0, 5))).not.toContain(false);
  });

  it('a holder that comes to life while another one looks - keeps what it has claimed', async () => {
    const state = new MemoryState();
    const living = new Set(['early', 'slow']);
    const open = () => new Claims(state, 't', async () => new Set(living));
    const [slow, late] = [open(), open()];
    await open().take('early', keys(0, 1));
    let takenLate: boolean[] | undefined;
    state.beforeWrite = async () => {
      if (takenLate) return;
      takenLate = [];
      living.add('late');
      takenLate = await late.take('late', keys(0, 300));
    };
    const taken = await slow.take('slow', keys(0, 300));
    expect(takenLate).toContain(true);
    expect(taken.filter((isMine, n) => isMine && takenLate![n])).toEqual([]);
  });
});
