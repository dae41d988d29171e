/** Parts that an overlapped training has; after the last answer one of them is left. */
export const TRAINING_PARTS = 10;

/** Some steps of a training and the shards that they draw from. */
export interface PlannedPart {
  /** The first so many shards. */
  shards: number;
  firstStep: number;
  /** The first step that isn't done any more. */
  endStep: number;
  totalSteps: number;
}

/**
 * The schedule of a training that begins before all answers are there (DESIGN.md §7): part i of ten draws its tenth of
 * the steps from the first i tenths of the images, in whole shards. It depends on the sizes of the shards alone, so
 * that neither the order nor the time of arrival changes the student.
 * @param images of each shard, in their order
 * @param batch images a step
 */
export function trainingParts(images: readonly number[], batch: number, epochs: number): PlannedPart[] {
  const total = images.reduce((sum, count) => sum + count, 0);
  const totalSteps = Math.max(1, Math.floor(total / Math.min(batch, total))) * epochs;
  const parts: PlannedPart[] = [];
  for (let part = 1; part <= TRAINING_PARTS; part++) {
    // A part with less than a batch would be trained in smaller ones.
    const shards = shardsThatHold(images, Math.max(Math.min(batch, total), Math.ceil((total * part) / TRAINING_PARTS)));
    const firstStep = parts.at(-1)?.endStep ?? 0;
    const endStep = Math.round((totalSteps * part) / TRAINING_PARTS);
    if (endStep === firstStep) continue;
    if (parts.at(-1)?.shards === shards) parts.at(-1)!.endStep = endStep;
    else parts.push({ shards, firstStep, endStep, totalSteps });
  }
  return parts;
}

function shardsThatHold(images: readonly number[], wanted: number): number {
  let held = 0;
  const last = images.findIndex((count) => (held += count) >= wanted);
  return last < 0 ? images.length : last + 1;
}
