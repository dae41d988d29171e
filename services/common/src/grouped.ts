/**
 * A whole number in groups of three digits, e.g. `49 997`.
 * @param gap between the groups
 */
export function grouped(value: number, gap = ' '): string {
  return String(Math.round(value)).replaceAll(/\B(?=(\d{3})+$)/g, gap);
}
