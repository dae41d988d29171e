import { UnavailableError } from '@bbdistill/common';
import { describe, expect, it } from 'vitest';
import { CheckpointWriter } from './checkpoint-store.js';

describe('checkpoint writer', () => {
  it('writes one at a time and leaves out what a newer one took the place of', async () => {
    const written: number[] = [];
    let finish = (): void => undefined;
    const writer = new CheckpointWriter(async (bytes) => {
      await new Promise<void>((resolve) => (finish = resolve));
      written.push(bytes[0]!);
    });
    for (const value of [1, 2, 3]) writer.write(Uint8Array.of(value));
    finish();
    await Promise.resolve();
    while (written.length === 0) await Promise.resolve();
    await new Promise((resolve) => setImmediate(resolve));
    finish();
    await writer.settled();
    expect(written).toEqual([1, 3]);
  });

  it('keeps the reason of a failed write until one succeeds', async () => {
    let down = true;
    const writer = new CheckpointWriter(async () => {
      if (down) throw new UnavailableError('the store is down');
    });
    writer.write(Uint8Array.of(1));
    await writer.settled();
    expect(writer.failure?.message).toBe('the store is down');
    down = false;
    writer.write(Uint8Array.of(2));
    await writer.settled();
    expect(writer.failure).toBeUndefined();
  });
});
