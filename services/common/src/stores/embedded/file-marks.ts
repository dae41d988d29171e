import { closeSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { BbdError } from '../../errors.js';
import { bootId } from '../../process-identity.js';
import type { ProcessMarks } from '../process-marks.js';
import { storageError } from './storage-errors.js';

const FILE = 'marks.log';
/** A file that has grown to so much is written anew with what still counts. */
const MAX_FILE_BYTES = 64 * 1024;

/**
 * Marks as lines of a file, `+name` and `-name`, below the id of the machine's start: what was written since then is in
 * the system's cache at least, whatever became of the process.
 */
export class FileMarks implements ProcessMarks {
  readonly isWhole: boolean;
  readonly #names = new Set<string>();
  readonly #path: string;
  /** Absent once closed: the system gives its number to other files. */
  #file: number | undefined;
  #bytes = 0;

  /** @returns undefined where the system doesn't tell one start of the machine from another */
  static open(folder: string, boot = bootId()): FileMarks | undefined {
    return boot === undefined ? undefined : new FileMarks(folder, boot);
  }

  private constructor(
    private readonly folder: string,
    private readonly boot: string,
  ) {
    this.#path = join(folder, FILE);
    const [foundBoot, ...lines] = readLines(this.#path);
    this.isWhole = foundBoot === boot;
    if (this.isWhole) {
      for (const line of lines) {
        if (line.startsWith('+')) this.#names.add(line.slice(1));
        else this.#names.delete(line.slice(1));
      }
    }
    this.#file = this.#begin();
  }

  add(name: string): void {
    this.#append(`+${name}\n`);
    this.#names.add(name);
  }

  remove(name: string): void {
    if (!this.#names.delete(name) || this.#file === undefined) return;
    try {
      if (this.#bytes < MAX_FILE_BYTES) return this.#append(`-${name}\n`);
      const before = this.#file;
      this.#file = this.#begin();
      closeSync(before);
    } catch {
      // A full disk: what it marks is over, and a mark of nothing means nothing.
    }
  }

  has(name: string): boolean {
    return this.#names.has(name);
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  /** The file is complete before it has its name: a process may end between any two steps. */
  #begin(): number {
    const temporary = `${this.#path}.new`;
    let file: number | undefined;
    try {
      file = openSync(temporary, 'w');
      const text = Buffer.from([this.boot, ...[...this.#names].map((name) => `+${name}`), ''].join('\n'));
      writeWhole(file, text, 0);
      renameSync(temporary, this.#path);
      this.#bytes = text.length;
      return file;
    } catch (error) {
      if (file !== undefined) closeSync(file);
      throw storageError(error, this.folder);
    }
  }

  #append(line: string): void {
    if (this.#file === undefined)
      throw new BbdError('internal', `${this.#path} is closed: nothing can be marked in it`);
    const bytes = Buffer.from(line);
    try {
      // Over what is left of a line before it that didn't fit as a whole.
      writeWhole(this.#file, bytes, this.#bytes);
      this.#bytes += bytes.length;
    } catch (error) {
      throw storageError(error, this.folder);
    }
  }
}

/** A disk that is nearly full takes a part, and says only how much that was. */
function writeWhole(file: number, bytes: Uint8Array, position: number): void {
  for (let at = 0; at < bytes.length;) {
    const written = writeSync(file, bytes, at, bytes.length - at, position + at);
    if (written === 0) throw Object.assign(new Error('nothing more can be written'), { code: 'ENOSPC' });
    at += written;
  }
}

/** What follows the last line's end was never told to have been written. */
function readLines(path: string): string[] {
  try {
    return readFileSync(path, 'utf8').split('\n').slice(0, -1);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
