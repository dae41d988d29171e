const REDACTED = '[redacted]';
/** What is shorter could be part of any word, and protects nothing. */
const MIN_SECRET_CHARACTERS = 6;

const held = new Set<string>();
let pattern: RegExp | undefined;

/**
 * Remembers a secret that this process holds, so that its value is taken out of everything that leaves the process for
 * people: logs, errors, traces, reports. A guard behind the first rule, which is never to write one down.
 */
export function holdSecret(value: string): void {
  if (held.has(value)) return;
  const spellings = [
    value,
    JSON.stringify(value).slice(1, -1),
    encodeURIComponent(value),
    new URLSearchParams([['', value]]).toString().slice(1),
    Buffer.from(value, 'utf8').toString('base64'),
    Buffer.from(value, 'utf8').toString('base64url'),
  ];
  for (const spelling of spellings) {
    if (spelling.length < MIN_SECRET_CHARACTERS || held.has(spelling)) continue;
    held.add(spelling);
    pattern = undefined;
  }
}

/** The text without the values of the secrets that this process holds. */
export function redactSecrets(text: string): string {
  if (held.size === 0) return text;
  pattern ??= new RegExp(
    [...held]
      .sort((a, b) => b.length - a.length)
      .map(escaped)
      .join('|'),
    'g',
  );
  return text.replace(pattern, REDACTED);
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
