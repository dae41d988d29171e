import { mkdir, rm, stat, writeFile } from 'node:fs/promises';
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
 * @throws OutputFolderError
 */
export async function prepareOutputFolder(folder: string): Promise<void> {
  const probe = join(folder, `.bbdistill-${process.pid}`);
  try {
    await mkdir(folder, { recursive: true });
    try {
      // An empty file fits on a full disk.
      await writeFile(probe, Buffer.alloc(PROBE_BYTES));
    } finally {
      await rm(probe, { force: true });
    }
  } catch (cause) {
    throw new OutputFolderError(folder, cause);
  }
}

/**
 * Makes sure that a file can be written, before anything is spent.
 * @param option names the file in what is said of it
 * @throws ConfigError where a folder has that name; OutputFolderError
 */
export async function prepareOutputFile(option: string, file: string): Promise<void> {
  const isFolder = await stat(file).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (isFolder) throw new ConfigError(`${option} is ${file}, which is a folder: name a file, in it or elsewhere`);
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
