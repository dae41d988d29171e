/**
 * Learning rate of a step.
 * @param step counted from 0
 * @param epochLosses mean loss of every epoch that is over, so that a resumed training goes on as it would have
 */
export type Schedule = (step: number, epochLosses: readonly number[]) => number;

export const SCHEDULES = ['constant', 'step', 'cosine', 'one-cycle', 'plateau'] as const;
export type ScheduleName = (typeof SCHEDULES)[number];

/** Part of the steps in which the one-cycle rate rises. */
export const WARM_UP_PART = 0.3;
/** The one-cycle rate starts at peak / START_DIVISOR … */
export const START_DIVISOR = 25;
/** … and ends at peak / (START_DIVISOR · END_DIVISOR). */
export const END_DIVISOR = 1e4;

/** Parts of the training after which the step rate is divided: the paper's epochs 80, 120, 160 and 180 of 200. */
export const STEP_MILESTONES: readonly number[] = [0.4, 0.6, 0.8, 0.9];
/** What the step and the plateau rate are divided by. */
export const RATE_DIVISOR = 10;

/** Epochs without a better loss after which the plateau rate is divided (Keras' ReduceLROnPlateau). */
export const PLATEAU_PATIENCE_EPOCHS = 10;
/** What counts as better. */
export const PLATEAU_MIN_DELTA = 1e-4;

/**
 * constant; step: divided by RATE_DIVISOR at STEP_MILESTONES; cosine: from the rate to nearly 0 along half a cosine
 * (Loshchilov and Hutter, 2017, without restarts); one-cycle: as PyTorch's OneCycleLR; plateau: divided by RATE_DIVISOR
 * whenever the epochs' loss stops falling.
 * @param rate the first rate, or the peak of the one-cycle
 */
export function scheduleFor(name: ScheduleName, rate: number, totalSteps: number): Schedule {
  switch (name) {
    case 'constant':
      return () => rate;
    case 'step':
      return (step) => rate / RATE_DIVISOR ** STEP_MILESTONES.filter((part) => step >= part * totalSteps).length;
    case 'cosine':
      return (step) => alongCosine(rate, 0, Math.min(1, step / totalSteps));
    case 'one-cycle':
      return oneCycle(rate, totalSteps);
    case 'plateau':
      return (_, epochLosses) => rate / RATE_DIVISOR ** plateausOf(epochLosses);
  }
}

function oneCycle(rate: number, totalSteps: number): Schedule {
  const start = rate / START_DIVISOR;
  const end = start / END_DIVISOR;
  const peakStep = WARM_UP_PART * totalSteps - 1;
  const lastStep = totalSteps - 1;
  return (step) =>
    step <= peakStep
      ? alongCosine(start, rate, step / peakStep)
      : alongCosine(rate, end, Math.min(1, (step - peakStep) / (lastStep - peakStep)));
}

function plateausOf(losses: readonly number[]): number {
  let best = Infinity;
  let waited = 0;
  let plateaus = 0;
  for (const loss of losses) {
    if (loss < best - PLATEAU_MIN_DELTA) {
      best = loss;
      waited = 0;
    } else if (++waited >= PLATEAU_PATIENCE_EPOCHS) {
      waited = 0;
      plateaus++;
    }
  }
  return plateaus;
}

function alongCosine(from: number, to: number, part: number): number {
  return to + ((from - to) / 2) * (1 + Math.cos(Math.PI * part));
}
