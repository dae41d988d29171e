import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { startChild } from '../helpers/child.js';

const SCRIPT = fileURLToPath(new URL('../fixtures/training/train-memory.mjs', import.meta.url));
const WARM_EPOCH = 5;
const LATE_EPOCH = 50;
const MAX_HELD_GROWTH_BYTES = 1 << 20;
/** The allocator keeps some of what it got. */
const MAX_RSS_GROWTH_BYTES = 24 << 20;

describe('memory', () => {
  it('stays flat over the epochs of a training, augmentation and checkpoints included', async () => {
    await using child = startChild(process.execPath, ['--expose-gc', SCRIPT, String(LATE_EPOCH)]);
    const at = async (epoch: number) => {
      const [, text] = await child.line(new RegExp(`^epoch ${epoch} (.*)$`), 120_000);
      return JSON.parse(text!) as { rss: number; held: number };
    };
    const warm = await at(WARM_EPOCH);
    const late = await at(LATE_EPOCH);
    expect(late.held - warm.held).toBeLessThan(MAX_HELD_GROWTH_BYTES);
    expect(late.rss - warm.rss).toBeLessThan(MAX_RSS_GROWTH_BYTES);
    expect(await child.ended).toBe(0);
  });
});
