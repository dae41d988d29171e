const MICROS_PER_UNIT = 1e6;
const MICROS_PER_CENT = 1e4;

/** `9.5 s`, `1 min 30 s`, `2 h 5 min`, `25 d 3 h` */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return '?';
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  // Rounded first: there is no 1 min 60 s.
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min ${whole % 60} s`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** An amount that isn't exceeded, rounded up to cents; below a cent as it is: `0.0045`. */
export function moneyAtMost(micros: number): string {
  if (micros > 0 && micros < MICROS_PER_CENT) return String(micros / MICROS_PER_UNIT);
  return (Math.ceil(micros / MICROS_PER_CENT) / 100).toFixed(2);
}
