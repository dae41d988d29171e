/**
 * Small values under 32-byte keys, shared by processes; the last write of a key wins. For caches: a value may be lost with
 * the bucket, and whoever reads it checks it.
 */
export interface ByteBucket {
  /**
   * In the order of the keys.
   * @param fresh every write that was acknowledged before is seen; else a moment may pass
   */
  getMany(keys: readonly Uint8Array[], fresh?: boolean): Promise<(Uint8Array | undefined)[]>;
  /** @returns once all are acknowledged as stored */
  putMany(entries: readonly { key: Uint8Array; value: Uint8Array }[]): Promise<void>;
}
