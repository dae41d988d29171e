/** Learning rate of a step, counted from 0. */
export type Schedule = (step: number) => number;

export const SCHEDULES = ['constant', 'one-cycle'] as const;
export type ScheduleName = (typeof SCHEDULES)[number];

/** Part of the steps in which the one-cycle rate rises. */
export const WARM_UP_PART = 0.3;
/** The one-cycle rate starts at peak / START_DIVISOR … */
export const START_DIVISOR = 25;
/** … and ends at peak / (START_DIVISOR · END_DIVISOR). */
export const END_DIVISOR = 1e4;

/**
 * @param rate the constant rate, or the peak of the one-cycle, which rises and falls along cosines as PyTorch's
 *   OneCycleLR does
 */
export function scheduleFor(name: ScheduleName, rate: number, totalSteps: number): Schedule {
  if (name === 'constant') return () => rate;
  const start = rate / START_DIVISOR;
  const end = start / END_DIVISOR;
  const peakStep = WARM_UP_PART * totalSteps - 1;
  const lastStep = totalSteps - 1;
  return (step) =>
    step <= peakStep
      ? alongCosine(start, rate, step / peakStep)
      : alongCosine(rate, end, Math.min(1, (step - peakStep) / (lastStep - peakStep)));
}

function alongCosine(from: number, to: number, part: number): number {
  return to + ((from - to) / 2) * (1 + Math.cos(Math.PI * part));
}
