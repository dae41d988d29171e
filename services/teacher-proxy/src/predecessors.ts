import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { bootId, isRunning, thisProcess } from '@bbdistill/common';
import type { ProcessIdentity } from '@bbdistill/common';

const FILE = 'holders.json';

interface Entry extends ProcessIdentity {
  holder: string;
  host: string;
  boot?: string;
}

/**
 * Holders of this state folder. Who is started again in the folder of a process that died knows that it is dead, and
 * need not wait for its lease: the calls that it left open would be nobody's until then.
 */
export class Predecessors {
  readonly #path: string;

  constructor(private readonly folder: string) {
    this.#path = join(folder, FILE);
  }

  /** Enters the holder. @returns those that are gone for certain, until {@link forget} */
  enter(holder: string): string[] {
    const known = this.#read();
    const boot = bootId();
    this.#write([...known, { holder, host: hostname(), ...(boot !== undefined && { boot }), ...thisProcess() }]);
    return known.filter((entry) => isGone(entry, boot)).map((entry) => entry.holder);
  }

  /** What they had is recovered. */
  forget(holders: readonly string[]): void {
    this.#write(this.#read().filter(({ holder }) => !holders.includes(holder)));
  }

  /** Nothing where the file can't be read: leases end by themselves. */
  #read(): Entry[] {
    try {
      const found = JSON.parse(readFileSync(this.#path, 'utf8')) as unknown;
      return Array.isArray(found) ? found.filter(isEntry) : [];
    } catch {
      return [];
    }
  }

  /** What can't be written is missed by the next process only, which waits for a lease then. */
  #write(entries: readonly Entry[]): void {
    const fresh = `${this.#path}.${process.pid}`;
    try {
      mkdirSync(this.folder, { recursive: true });
      writeFileSync(fresh, JSON.stringify(entries));
      renameSync(fresh, this.#path);
    } catch {
      // A full disk, most likely; it is told by whoever can't do without.
    }
  }
}

/** Of another machine, or of another container that has the same folder, nothing is known. */
function isGone(entry: Entry, boot: string | undefined): boolean {
  if (entry.host !== hostname() || entry.boot === undefined || boot === undefined) return false;
  return entry.boot !== boot || !isRunning(entry);
}

function isEntry(value: unknown): value is Entry {
  const { holder, host, pid } = (value ?? {}) as Partial<Entry>;
  return typeof holder === 'string' && typeof host === 'string' && typeof pid === 'number';
}
