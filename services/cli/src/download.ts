import { mkdir, open, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join, resolve, sep } from 'node:path';
import { BbdError, patiently, systemClock } from '@bbdistill/common';
import type { Run__Output } from '@bbdistill/common/gen/bbdistill/v1/Run.js';
import type { Orchestrator } from './session.js';

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

/** Writes every file of a run below the folder; a file is whole or not there. */
export async function downloadArtifacts(
  orchestrator: Orchestrator,
  run: Run__Output,
  folder: string,
  signal: AbortSignal,
): Promise<string[]> {
  const root = resolve(folder);
  const written: string[] = [];
  for (const { path } of run.artifacts) {
    const target = resolve(root, path);
    if (!target.startsWith(root + sep)) {
      throw new BbdError('data-loss', `the run names a file outside its folder: ${path}`, {
        code: 'BAD_ARTIFACT_PATH',
      });
    }
    const partial = `${target}.partial`;
    try {
      await mkdir(dirname(target), { recursive: true });
      await patiently(() => writeArtifact(partial, orchestrator, run.id, path, signal), { clock: systemClock, signal });
      await rename(partial, target);
    } catch (thrown) {
      await rm(partial, { force: true }).catch(() => undefined);
      throw thrown instanceof BbdError ? thrown : new OutputFolderError(root, thrown);
    }
    written.push(target);
  }
  return written;
}

/** From the start, whatever an attempt before it has written. */
async function writeArtifact(
  target: string,
  orchestrator: Orchestrator,
  runId: string,
  path: string,
  signal: AbortSignal,
): Promise<void> {
  const file = await open(target, 'w');
  try {
    for await (const { data } of orchestrator.serverStream('DownloadArtifact', { runId, path }, { signal })) {
      await file.write(data);
    }
  } finally {
    await file.close();
  }
}
