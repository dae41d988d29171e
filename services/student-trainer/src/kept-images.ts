import type { BlobStore } from '@bbdistill/common';
import { readLabelled } from '@bbdistill/compute';
import type { LabelledImages, LabelledShardRef } from '@bbdistill/compute';

/** Of all trainings that grow. */
const MAX_KEPT_BYTES = 512 * 1024 * 1024;

interface Kept {
  /** What each shard is known by. */
  shards: readonly string[];
  labelled: LabelledImages;
}

/**
 * Reads what is trained on. The images of a training that goes on with more of them stay for a while, so that each part
 * reads only what is new to it.
 */
export class KeptImages {
  /** The last one read comes last. */
  #kept: Kept[] = [];

  constructor(
    private readonly blobs: Pick<BlobStore, 'get'>,
    private readonly keepMs: number,
    private readonly maxBytes: number = MAX_KEPT_BYTES,
  ) {}

  /**
   * @param isMoreToCome keeps the images for a longer list that begins with these shards
   * @throws as `readLabelled`
   */
  async read(refs: readonly LabelledShardRef[], classes: number, isMoreToCome: boolean): Promise<LabelledImages> {
    const shards = refs.map(({ images, answers }) => [classes, images?.blob?.sha256, answers?.blob?.sha256].join());
    const known = this.#kept.find((kept) => kept.shards.every((shard, at) => shard === shards[at]));
    const labelled = await readLabelled(
      this.blobs,
      refs,
      classes,
      known && { shards: known.shards.length, labelled: known.labelled },
    );
    if (known) this.#forget(known);
    if (isMoreToCome) this.#keep({ shards, labelled });
    return labelled;
  }

  /** Sets of images that are kept now. */
  get size(): number {
    return this.#kept.length;
  }

  #keep(kept: Kept): void {
    this.#kept.push(kept);
    while (this.#bytes() > this.maxBytes) this.#kept.shift();
    // Nobody waits for it: the next part may be another trainer's.
    setTimeout(() => this.#forget(kept), this.keepMs).unref();
  }

  #forget(kept: Kept): void {
    this.#kept = this.#kept.filter((other) => other !== kept);
  }

  #bytes(): number {
    return this.#kept.reduce((sum, { labelled }) => sum + labelled.pixels.byteLength + labelled.targets.byteLength, 0);
  }
}
