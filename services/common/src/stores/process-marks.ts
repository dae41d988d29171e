/**
 * Names that are noted at once: noting waits for no disk, so a mark outlives this process, but maybe not the machine.
 * Whoever reads them must know what it means that they are gone.
 */
export interface ProcessMarks {
  /** Whether the marks of all earlier processes are here; false after the machine itself went down. */
  readonly isWhole: boolean;
  /** @throws DiskFullError, FolderNotWritableError, BbdError `internal` once closed */
  add(name: string): void;
  /** What isn't there is left alone. Throws nothing: a mark that stays says nothing once what it marks is over. */
  remove(name: string): void;
  has(name: string): boolean;
  close(): void;
}
