import { redactSecrets } from '@bbdistill/common';

const SHOWN_CHARACTERS = 200;

/**
 * What a server said, short enough for a message and without our secrets, which it may have sent back. They are taken
 * out before the text is cut: the beginning of one is no longer known for it.
 */
export function shownText(text: string, mostCharacters = SHOWN_CHARACTERS): string {
  const safe = redactSecrets(text);
  return safe.length > mostCharacters ? `${safe.slice(0, mostCharacters)}…` : safe;
}

/** The same of a value that came as JSON. */
export function shownJson(value: unknown): string {
  return shownText(JSON.stringify(value) ?? String(value));
}
