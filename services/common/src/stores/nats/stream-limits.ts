/** What every stream of the stores is declared with. */
export interface StreamLimits {
  /** Servers that keep a copy: 1, 3 or 5. */
  replicas: number;
  /** At this size writes are refused as `STORE_FULL`; -1 leaves it to the account's limit. */
  maxBytes: number;
  /** How long a repeated publish is known as one. Longer than an operation's patience. */
  duplicateWindowMs: number;
}
