import { InvalidArgumentError, ManualClock } from '@bbdistill/common';
import type { ImageShape } from '@bbdistill/common';
import { describe, expect, it } from 'vitest';
import { MemoryBlobs } from '../../../test/helpers/memory-blobs.js';
import { MemoryState } from '../../../test/helpers/memory-state.js';
import { DatasetStore } from './datasets.js';
import type { DatasetLimits } from './datasets.js';

const square = (side: number, channels = 1): ImageShape => ({ height: side, width: side, channels });

/** Image n is of the grey n mod 251; a hundred a piece, or one where they are large. */
async function stored(shape: ImageShape, count: number, limits: DatasetLimits = {}) {
  const imageBytes = shape.height * shape.width * shape.channels;
  const perPiece = imageBytes > 100_000 ? 1 : 100;
  async function* pieces() {
    for (let first = 0; first < count; first += perPiece) {
      const pixels = new Uint8Array(Math.min(perPiece, count - first) * imageBytes);
      for (let n = 0; n * imageBytes < pixels.length; n++) {
        pixels.fill((first + n) % 251, n * imageBytes, (n + 1) * imageBytes);
      }
      yield { pixels, labels: [] };
    }
  }
  const datasets = new DatasetStore(new MemoryState(), new MemoryBlobs(), new ManualClock(), limits);
  return datasets.store({ shape, classNames: [] }, pieces());
}

describe('DatasetStore', () => {
  it.each([
    [square(28), '53383dbb917457c6e440621f2c236780'],
    [square(32, 3), '073c63b04d6573c8287854f55ad31b1b'],
    [square(256), '18877f9736145b934b8f70ba5bf7da1e'],
  ])(
    'images of $height x $width x $channels - are cut by their number, and keep the id they always had',
    async (shape, id) => {
      const dataset = await stored(shape, 1_500);
      expect(dataset.shards.map(({ images }) => images)).toEqual([1024, 476]);
      expect(dataset.id).toBe(id);
    },
  );

  it('many small images in one message - are taken with their labels', async () => {
    const datasets = new DatasetStore(new MemoryState(), new MemoryBlobs(), new ManualClock());
    const count = 300_000;
    const pieces = (async function* () {
      yield await Promise.resolve({ pixels: new Uint8Array(count), labels: new Array<number>(count).fill(1) });
    })();
    const dataset = await datasets.store({ shape: square(1), classNames: [] }, pieces);
    expect(dataset.images).toBe(count);
    expect(dataset.labels!.sizeBytes).toBeGreaterThan(4 * count);
  });

  it('more images than a record can name - are refused', async () => {
    const datasets = new DatasetStore(new MemoryState(), new MemoryBlobs(), new ManualClock());
    const pieces = (async function* () {
      for (let n = 0; n < 27; n++) yield await Promise.resolve({ pixels: new Uint8Array(100_000), labels: [] });
    })();
    await expect(datasets.store({ shape: square(1), classNames: [] }, pieces)).rejects.toMatchObject({
      code: 'DATASET_TOO_LARGE',
      message: 'more than 2560000 images were sent: upload fewer',
    });
  });

  it('large images - fill shards of at most 64 MiB', async () => {
    const dataset = await stored(square(1024, 3), 22);
    expect(dataset.shards.map(({ images }) => images)).toEqual([21, 1]);
    const bytes = dataset.shards.map(({ blob }) => blob!.sizeBytes);
    expect(Math.max(...bytes)).toBeLessThanOrEqual(64 * 1024 * 1024);
  });

  it('an image that no message can carry - is refused by its shape', async () => {
    const refused = { code: 'IMAGE_TOO_LARGE' };
    await expect(stored(square(4096, 3), 0)).rejects.toThrow(InvalidArgumentError);
    await expect(stored(square(4096, 3), 0)).rejects.toMatchObject({
      ...refused,
      message: expect.stringMatching(/4096x4096x3 has 50331648 bytes .* 4193280 .*: resize the images/) as unknown,
    });
    const maxMessageBytes = 8 * 1024 * 1024;
    await expect(stored(square(1400, 3), 1, { maxMessageBytes })).resolves.toMatchObject({ images: 1 });
    await expect(stored(square(1700, 3), 0, { maxMessageBytes })).rejects.toMatchObject(refused);
  });
});
