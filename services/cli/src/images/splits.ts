import { InvalidArgumentError, RandomStream } from '@bbdistill/common';

/** Which `wanted` of `count` a limit keeps; a smaller limit is a prefix of a larger one. */
export function drawSeeded(count: number, wanted: number, seed: number): Uint32Array {
  return new RandomStream(seed, 'dataset-limit').permutation(count).subarray(0, Math.min(wanted, count));
}

/**
 * Disjoint random parts of 0..count-1, drawn in the order in which the sizes are named: a part doesn't change when a
 * later one does.
 * @throws InvalidArgumentError when the sizes need more than there are
 */
export function splitSeeded<Name extends string>(
  count: number,
  seed: number,
  sizes: Record<Name, number>,
): Record<Name, Uint32Array> {
  const parts = Object.entries<number>(sizes);
  const needed = parts.reduce((sum, [, size]) => sum + size, 0);
  if (needed > count || parts.some(([, size]) => !Number.isInteger(size) || size < 0)) {
    const named = parts.map(([name, size]) => `${name} ${size}`).join(' + ');
    throw new InvalidArgumentError(`a split of ${named} can't be made of ${count} images; take smaller parts`, {
      code: 'SPLIT_SIZE',
    });
  }
  const order = new RandomStream(seed, 'dataset-split').permutation(count);
  let at = 0;
  return Object.fromEntries(parts.map(([name, size]) => [name, order.slice(at, (at += size))])) as Record<
    Name,
    Uint32Array
  >;
}

/**
 * `perClass` random images of every class by true label, in random order. Only `reproduce` may use it: the paper
 * draws its few images so, and a user with unlabelled images can't.
 * @throws InvalidArgumentError when a class has too few images
 */
export function balancedDraw(labels: Int32Array, perClass: number, seed: number): Uint32Array {
  const classes = labels.reduce((max, label) => Math.max(max, label), -1) + 1;
  const drawn: number[] = [];
  const taken = new Array<number>(classes).fill(0);
  for (const index of new RandomStream(seed, 'balanced-draw').permutation(labels.length)) {
    const label = labels[index]!;
    if (label < 0 || taken[label]! >= perClass) continue;
    taken[label]!++;
    drawn.push(index);
  }
  const short = taken.findIndex((found) => found < perClass);
  if (short >= 0 || classes === 0) {
    throw new InvalidArgumentError(
      classes === 0
        ? 'a balanced draw needs labels, and there are none'
        : `class ${short} has ${taken[short]} images where ${perClass} are to be drawn; draw fewer`,
      { code: 'SPLIT_SIZE' },
    );
  }
  return Uint32Array.from(drawn);
}
