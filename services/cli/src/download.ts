import { mkdir, rm, rmdir, stat, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { downloadArtifacts } from '@bbdistill/client';
import type { Orchestrator } from '@bbdistill/client';
import { BbdError, ConfigError } from '@bbdistill/common';
import type { Run__Output } from '@bbdistill/common/gen/bbdistill/v1/Run.js';

const PROBE_BYTES = 64 * 1024;

/** The folder for the results can't be written to. */
export class OutputFolderError extends BbdError {
  constructor(folder: string, cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    super('failed-precondition', `cannot write to the output folder ${folder} (${reason}): choose another with --out`, {
      code: 'OUTPUT_NOT_WRITABLE',
      cause,
    });
  }
}

/**
 * Makes sure that results can be written, before anything is spent.
 * @returns the folders that it made, the innermost first
 * @throws OutputFolderError
 */
export async function prepareOutputFolder(folder: string): Promise<string[]> {
  const probe = join(folder, `.bbdistill-${process.pid}`);
  try {
    const made = await makeFolders(resolve(folder));
    try {
      // An empty file fits on a full disk.
      await writeFile(probe, Buffer.alloc(PROBE_BYTES));
    } finally {
      await rm(probe, { force: true });
    }
    return made;
  } catch (cause) {
    throw new OutputFolderError(folder, cause);
  }
}

/**
 * Does work whose results go to a folder, which is made first. What is refused leaves no empty folder behind.
 * @throws OutputFolderError, and whatever the work throws
 */
export async function withOutputFolder<T>(folder: string, work: () => Promise<T>): Promise<T> {
  const made = await prepareOutputFolder(folder);
  try {
    return await work();
  } catch (error) {
    await removeEmpty(made);
    throw error;
  }
}

/**
 * Missing parents first, one after the other: Node's own `recursive: true` never comes back where a parent is there and
 * takes no folders, as /proc does, and no signal ends it.
 */
async function makeFolders(folder: string): Promise<string[]> {
  try {
    await mkdir(folder);
    return [folder];
  } catch (error) {
    if (await isFolder(folder)) return [];
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || dirname(folder) === folder) throw error;
  }
  const parents = await makeFolders(dirname(folder));
  try {
    await mkdir(folder);
    return [folder, ...parents];
  } catch (error) {
    // Another process was faster.
    if (await isFolder(folder)) return parents;
    await removeEmpty(parents);
    throw error;
  }
}

/** @param folders the innermost first */
async function removeEmpty(folders: readonly string[]): Promise<void> {
  for (const folder of folders) {
    try {
      await rmdir(folder);
    } catch {
      // Somebody put something there, or takes it away as well.
      return;
    }
  }
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

/**
 * Makes sure that a file can be written, before anything is spent.
 * @param option names the file in what is said of it
 * @throws ConfigError where a folder has that name; OutputFolderError
 */
export async function prepareOutputFile(option: string, file: string): Promise<void> {
  if (await isFolder(file))
    throw new ConfigError(`${option} is ${file}, which is a folder: name a file, in it or elsewhere`);
  await prepareOutputFolder(dirname(file));
}

/**
 * Writes every file of a run below the folder; a file is whole or not there.
 * @throws OutputFolderError where the folder can't be written to
 */
export async function downloadInto(
  orchestrator: Orchestrator,
  run: Run__Output,
  folder: string,
  signal: AbortSignal,
): Promise<string[]> {
  try {
    return await downloadArtifacts(orchestrator, run, folder, signal);
  } catch (thrown) {
    throw thrown instanceof BbdError ? thrown : new OutputFolderError(resolve(folder), thrown);
  }
}
