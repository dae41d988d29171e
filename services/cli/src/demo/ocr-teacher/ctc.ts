/**
 * Probability that CTC decodes exactly one character: the sum over all paths of the form blank* character+ blank*
 * (Graves et al., ICML 2006, §3).
 * @param blank probability of the blank at each time step
 * @param character probability of the character at each time step
 */
export function oneCharacterProbability(blank: ArrayLike<number>, character: ArrayLike<number>): number {
  let before = 1;
  let within = 0;
  let after = 0;
  for (let step = 0; step < blank.length; step++) {
    const blankNow = blank[step]!;
    after = (after + within) * blankNow;
    within = (within + before) * character[step]!;
    before *= blankNow;
  }
  return within + after;
}
