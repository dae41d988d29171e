import { constants } from 'node:os';
import { BbdError, asBbdError } from '../../errors.js';

/** The disk under the state folder is full. Nothing that was stored before is lost. */
export class DiskFullError extends BbdError {
  constructor(
    readonly folder: string,
    cause: unknown,
  ) {
    super('resource-exhausted', `no space is left for ${folder}: free some, then resume the run; nothing is lost`, {
      code: 'DISK_FULL',
      cause,
    });
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

const FULL = ['ENOSPC', 'EDQUOT', 'EFBIG'];
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
    throw storageError(thrown, folder);
  }
}

/** node:fs says `ENOSPC`; lmdb gives the bare number, and wraps it when a commit fails. */
function errnoName(thrown: unknown): string {
  const { code, commitError } = (thrown ?? {}) as { code?: unknown; commitError?: unknown };
  if (typeof code === 'string') return code;
  if (typeof code === 'number') return Object.entries(constants.errno).find(([, value]) => value === code)?.[0] ?? '';
  return commitError === undefined ? '' : errnoName(commitError);
}
