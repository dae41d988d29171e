import { constants } from 'node:os';
import { BbdError, asBbdError } from '../../errors.js';

/** The disk under the state folder is full. Nothing that was stored before is lost. */
export class DiskFullError extends BbdError {
  constructor(
    readonly folder: string,
    cause: unknown,
  ) {
    super(
      'resource-exhausted',
      `no space is left for ${folder} (or its disk fails): free some, then resume the run; what was stored is kept`,
      { code: 'DISK_FULL', cause },
    );
  }
}

/** The folder can't be made or written. */
export class FolderNotWritableError extends BbdError {
  constructor(
    readonly folder: string,
    cause: unknown,
  ) {
    super('failed-precondition', `cannot write to ${folder}: give this user the right to write, or choose another`, {
      code: 'FOLDER_NOT_WRITABLE',
      cause,
    });
  }
}

// lmdb calls a write that the system cut short for lack of space an input/output error.
const FULL = ['ENOSPC', 'EDQUOT', 'EFBIG', 'EIO'];
const NOT_WRITABLE = ['EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EEXIST'];

/** A failure of the file system or of lmdb as a typed error that names the folder. */
export function storageError(thrown: unknown, folder: string): BbdError {
  const name = errnoName(thrown);
  if (FULL.includes(name)) return new DiskFullError(folder, thrown);
  if (NOT_WRITABLE.includes(name)) return new FolderNotWritableError(folder, thrown);
  return asBbdError(thrown);
}

/** Runs a write and gives its failure a name. */
export async function storing<T>(folder: string, write: () => T | PromiseLike<T>): Promise<T> {
  try {
    return await write();
  } catch (thrown) {
    throw storageError(await causeOfFailedCommit(thrown), folder);
  }
}

/** lmdb rejects a write with a promise of the reason, which has to be taken or it ends the process. */
async function causeOfFailedCommit(thrown: unknown): Promise<unknown> {
  const { commitError } = (thrown ?? {}) as { commitError?: PromiseLike<unknown> };
  if (commitError === undefined) return thrown;
  try {
    await commitError;
    return thrown;
  } catch (reason) {
    return reason;
  }
}

/** node:fs says `ENOSPC`; lmdb gives the bare number. */
function errnoName(thrown: unknown): string {
  const { code } = (thrown ?? {}) as { code?: unknown };
  if (typeof code === 'string') return code;
  return Object.entries(constants.errno).find(([, value]) => value === code)?.[0] ?? '';
}
