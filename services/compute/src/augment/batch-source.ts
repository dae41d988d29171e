import { RandomStream } from '@bbdistill/common/base';
import type { ImageShape } from '@bbdistill/common/base';
import { BatchAugmenter } from './batch.js';
import type { BatchAugmentation, BatchBuffers, TrainingRows } from './batch.js';

export interface BatchSourceOptions {
  /** Images of the set. */
  count: number;
  shape: ImageShape;
  classes: number;
  batch: number;
  seed: number;
  augmentation: BatchAugmentation;
  /** The last images of the set come up more often than the others. */
  newest?: NewestImages | undefined;
  /** Where the first epoch begins: the steps before were on another set. Default 0. */
  firstStep?: number | undefined;
}

/** Images at the end of a set that grows while it is trained on. */
export interface NewestImages {
  images: number;
  /** How often an epoch goes over each of them; over the others it goes once. */
  draws: number;
}

/**
 * Puts the images and answers of any step into a classifier's buffers. Every epoch goes over the images in an order of
 * its own; images left over after the last whole batch sit that epoch out. Order and augmentation depend on the seed
 * and the step alone, not on when shards arrived or on how many workers share a batch.
 */
export class BatchSource {
  readonly stepsPerEpoch: number;
  readonly #augmenter: BatchAugmenter;
  /** One for all steps: a stream of its own for each would be most of what a step leaves behind. */
  readonly #random: RandomStream;
  /** Images that an epoch goes over, each as often as it does. */
  readonly #draws: number;
  readonly #firstStep: number;
  #epoch = -1;
  #order: Uint32Array = new Uint32Array();
  #partners: Uint32Array = new Uint32Array();

  constructor(
    rows: TrainingRows,
    private readonly options: BatchSourceOptions,
  ) {
    const { images: newest, draws } = options.newest ?? { images: 0, draws: 1 };
    this.#draws = options.count + newest * (draws - 1);
    this.stepsPerEpoch = Math.floor(this.#draws / options.batch);
    this.#firstStep = options.firstStep ?? 0;
    this.#random = new RandomStream(options.seed, 'batch-augmentation');
    this.#augmenter = new BatchAugmenter(rows, options.shape, options.classes, options.augmentation);
  }

  /** Fills the buffers with the images `first` … `first + count − 1` of the batch of `step`, counted from 0. */
  fill(step: number, first: number, count: number, buffers: BatchBuffers): void {
    const stepHere = step - this.#firstStep;
    this.#seek(Math.floor(this.#firstStep / this.stepsPerEpoch) + Math.floor(stepHere / this.stepsPerEpoch));
    this.#random.restart(step);
    this.#augmenter.skip(first, this.#random);
    const start = (stepHere % this.stepsPerEpoch) * this.options.batch + first;
    this.#augmenter.fill(this.#order, this.#partners, start, count, buffers, this.#random);
  }

  #seek(epoch: number): void {
    if (epoch === this.#epoch) return;
    const { seed, augmentation } = this.options;
    this.#epoch = epoch;
    this.#order = this.#shuffled(new RandomStream(seed, 'shuffle', epoch));
    if (augmentation.mixupAlpha > 0) {
      this.#partners = this.#shuffled(new RandomStream(seed, 'shuffle-partners', epoch));
    }
  }

  #shuffled(random: RandomStream): Uint32Array {
    const { count, newest } = this.options;
    const order = random.permutation(this.#draws);
    if (this.#draws === count) return order;
    const first = count - newest!.images;
    return order.map((draw) => (draw < count ? draw : first + ((draw - count) % newest!.images)));
  }
}
