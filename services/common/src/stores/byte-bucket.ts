export interface BucketValue {
  value: Uint8Array;
  /** By the clock of whoever keeps it. */
  putAtMs: number;
}

/**
 * Small values under 32-byte keys, shared by processes; the last write of a key wins. For caches: a value may be lost with
 * the bucket, and whoever reads it checks it.
 */
export interface ByteBucket {
  /**
   * In the order of the keys.
   * @param fresh every write that was acknowledged before is seen; else a moment may pass
   */
  getMany(keys: readonly Uint8Array[], fresh?: boolean): Promise<(BucketValue | undefined)[]>;
  /** @returns once all are acknowledged as stored */
  putMany(entries: readonly { key: Uint8Array; value: Uint8Array }[]): Promise<void>;
  /** Of all values with what is around them. */
  bytes(): Promise<number>;
  /**
   * Removes values in the order in which they were put, none that was put at `beforeMs` or later, until at most `toBytes`
   * are left.
   * @returns the bytes that are left
   */
  dropOldest(beforeMs: number, toBytes: number): Promise<number>;
}
