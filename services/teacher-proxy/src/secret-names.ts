/** A word that stands for a secret, also glued to what it is the secret of, as in `apikey`. */
const SECRET_WORD =
  /^(?:access|api|app|auth|client|license|private|secret|service|session|subscription|user)*(?:auth|authorization|credentials?|key|oauth|passphrase|passwd|password|pwd|secret|sig|signature|token)$/i;

/**
 * Whether a parameter of this name is likely to hold a secret, by its words: `api_key`, `apiKey` and `x-key` do, `keywords`
 * and `max_tokens` don't.
 */
export function namesSecret(name: string): boolean {
  return name
    .replace(/([a-z])([A-Z])/g, '$1 $2')
    .replace(/([A-Z])([A-Z][a-z])/g, '$1 $2')
    .split(/[^A-Za-z]+/)
    .some((word) => SECRET_WORD.test(word));
}
