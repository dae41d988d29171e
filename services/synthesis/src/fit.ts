import { CancelledError, RandomStream, pixelsPerImage } from '@bbdistill/common/base';
import type { ImageShape } from '@bbdistill/common/base';
import { DEFAULT_ADAM, argmaxRows, paperCvae } from '@bbdistill/compute';
import type { Cvae, CvaeArchitectureName, Engine } from '@bbdistill/compute';
import type { Generator } from './generator.js';
import type { WorkHooks } from './synthesise.js';

/** The few real images and what the teacher said of them. */
export interface FitData {
  count: number;
  shape: ImageShape;
  classes: number;
  /** uint8 [N,H,W,C] */
  pixels: Uint8Array;
  /** [N,K]; the largest of a row is the condition. */
  targets: Float32Array;
}

export interface FitOptions {
  architecture: CvaeArchitectureName;
  epochs: number;
  batch: number;
  /** Size of z. */
  latent: number;
  learningRate: number;
  seed: number;
}

export interface FittedGenerator {
  generator: Generator;
  /** Mean of reconstruction + KL, nats per image, of every epoch. */
  epochLoss: number[];
}

/**
 * Fits a CVAE on (image | teacher's class) (paper, section 3.3): every epoch sees every image once, in an order
 * of its own.
 * @throws InvalidArgumentError where the architecture doesn't suit the images
 * @throws NanLossError naming the step and the layer
 * @throws CancelledError when the signal aborts
 */
export async function fitGenerator(
  engine: Engine,
  data: FitData,
  options: FitOptions,
  hooks: WorkHooks,
): Promise<FittedGenerator> {
  const { shape, classes } = data;
  const batch = Math.min(options.batch, data.count);
  const architecture = paperCvae(options.architecture, shape);
  const cvae = engine.createCvae({
    shape,
    classes,
    latent: options.latent,
    architecture,
    batch,
    seed: options.seed,
    optimiser: DEFAULT_ADAM,
  });
  try {
    const conditions = argmaxRows(data.targets, classes);
    const epochLoss: number[] = [];
    for (let epoch = 0; epoch < options.epochs; epoch++) {
      const order = new RandomStream(options.seed, 'cvae-shuffle', epoch).permutation(data.count);
      const noise = new RandomStream(options.seed, 'cvae-noise', epoch);
      let lossSum = 0;
      for (let start = 0; start < data.count; start += batch) {
        const count = Math.min(batch, data.count - start);
        fillBatch(cvae, data, conditions, order.subarray(start, start + count), options.latent, noise);
        lossSum += cvae.trainStep(count, options.learningRate) * count;
      }
      const loss = lossSum / data.count;
      epochLoss.push(loss);
      hooks.progress({ unit: 'epochs', done: epoch + 1, total: options.epochs, loss });
      await new Promise((resolve) => setImmediate(resolve));
      if (hooks.signal.aborted) throw new CancelledError(`the fit was cancelled after epoch ${epoch + 1}`);
    }
    const weights = cvae.weights();
    return { generator: { shape, classes, latent: options.latent, architecture, weights }, epochLoss };
  } finally {
    cvae.dispose();
  }
}

function fillBatch(
  cvae: Cvae,
  data: FitData,
  conditions: Int32Array,
  rows: Uint32Array,
  latent: number,
  random: RandomStream,
): void {
  const pixels = pixelsPerImage(data.shape);
  const { images, conditions: oneHot, noise } = cvae;
  oneHot.fill(0, 0, rows.length * data.classes);
  for (let b = 0; b < rows.length; b++) {
    const row = rows[b]!;
    for (let p = 0; p < pixels; p++) images[b * pixels + p] = data.pixels[row * pixels + p]! / 255;
    oneHot[b * data.classes + conditions[row]!] = 1;
    for (let d = 0; d < latent; d++) noise[b * latent + d] = random.normal();
  }
}
