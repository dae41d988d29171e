/** Some 160 kB as JSON, of the 1 MB that a message of NATS may have; more points than a curve can show. */
export const MAX_RESULT_EPOCHS = 2000;

/** At most `most` epochs, evenly spread, the first and the last among them; all where there are no more. */
export function thinnedHistory<Epoch>(history: readonly Epoch[], most = MAX_RESULT_EPOCHS): Epoch[] {
  if (history.length <= most) return [...history];
  const pace = (history.length - 1) / (most - 1);
  return Array.from({ length: most }, (_, point) => history[Math.round(point * pace)]!);
}
