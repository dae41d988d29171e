import { CancelledError } from '@bbdistill/common';
import type { BlobStore, ImageBatch, JobProgress } from '@bbdistill/common';
import { ImageMixer, ShardWriter } from '@bbdistill/compute';
import type { MixOptions, StoredShard } from '@bbdistill/compute';

/** What a long piece of work tells and obeys while it runs. */
export interface WorkHooks {
  signal: AbortSignal;
  progress: (progress: JobProgress) => void;
}

export interface MixedImages {
  shards: StoredShard[];
  /** Indices left for the CVAE: their λ was too near to 0 or 1, or they fell into its share. */
  dropped: number;
}

/**
 * Makes the indices 0..count-1 of real images by MixUp, CutMix and small moves (paper, section 3.2) and stores what was
 * not dropped, in the order of the indices, in full shards and a last one.
 * @throws InvalidArgumentError where options and images don't go together
 * @throws CancelledError when the signal aborts
 */
export async function mixImages(
  images: ImageBatch,
  options: MixOptions,
  count: number,
  blobs: Pick<BlobStore, 'put'>,
  hooks: WorkHooks,
): Promise<MixedImages> {
  const mixer = new ImageMixer(images, options);
  const writer = new ShardWriter(blobs, images.shape);
  let dropped = 0;
  for (let index = 0; index < count; index++) {
    const { buffer, offset } = writer.slot;
    if (mixer.make(index, buffer, offset) === 'dropped') dropped++;
    else await writer.commit();
    if (index % BREATHE_EVERY_IMAGES === BREATHE_EVERY_IMAGES - 1) {
      hooks.progress({ unit: 'images', done: index + 1, total: count });
      await breathe(hooks.signal);
    }
  }
  hooks.progress({ unit: 'images', done: count, total: count });
  return { shards: await writer.finish(), dropped };
}

/** The first few images that `mixImages` would store, fewer where `count` indices don't give as many. */
export function previewMix(images: ImageBatch, options: MixOptions, count: number, wanted: number): Uint8Array {
  const mixer = new ImageMixer(images, options);
  const pixels = images.shape.height * images.shape.width * images.shape.channels;
  const result = new Uint8Array(wanted * pixels);
  let made = 0;
  for (let index = 0; index < count && made < wanted; index++) {
    if (mixer.make(index, result, made * pixels) !== 'dropped') made++;
  }
  return result.subarray(0, made * pixels);
}

/** Often enough that a server on the same thread goes on answering. */
const BREATHE_EVERY_IMAGES = 256;

/** Lets waiting events in. */
async function breathe(signal: AbortSignal): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  if (signal.aborted) throw new CancelledError('the making of images was cancelled');
}
