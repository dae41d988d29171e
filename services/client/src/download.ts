import { mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname, resolve, sep } from 'node:path';
import { BbdError, patiently, systemClock } from '@bbdistill/common';
import type { Run__Output } from '@bbdistill/common/gen/bbdistill/v1/Run.js';
import type { Orchestrator } from './orchestrator.js';

/** A run names a file that would lie outside the folder it is written to. */
export class UnsafeArtifactPathError extends BbdError {
  constructor(path: string) {
    super('data-loss', `the run names a file outside its folder: ${path}`, { code: 'BAD_ARTIFACT_PATH' });
  }
}

/** One file of a run's output. */
export async function downloadArtifact(
  orchestrator: Orchestrator,
  runId: string,
  path: string,
  signal?: AbortSignal,
): Promise<Buffer> {
  const cancellable = signal ? { signal } : {};
  return patiently(
    async () => {
      const pieces: Buffer[] = [];
      for await (const { data } of orchestrator.serverStream('DownloadArtifact', { runId, path }, cancellable)) {
        pieces.push(data);
      }
      return Buffer.concat(pieces);
    },
    { clock: systemClock, ...cancellable },
  );
}

/**
 * Writes every file of a run below the folder; a file is whole or not there.
 * @returns the files
 * @throws UnsafeArtifactPathError; BbdError of the transport; NodeJS.ErrnoException where the folder can't be written to
 */
export async function downloadArtifacts(
  orchestrator: Orchestrator,
  run: Run__Output,
  folder: string,
  signal?: AbortSignal,
): Promise<string[]> {
  const root = resolve(folder);
  const cancellable = signal ? { signal } : {};
  const written: string[] = [];
  for (const { path } of run.artifacts) {
    const target = resolve(root, path);
    if (!target.startsWith(root + sep)) throw new UnsafeArtifactPathError(path);
    const partial = `${target}.partial`;
    try {
      await mkdir(dirname(target), { recursive: true });
      const attempt = () => writeArtifact(partial, orchestrator, run.id, path, signal);
      await patiently(attempt, { clock: systemClock, ...cancellable });
      await rename(partial, target);
    } catch (thrown) {
      await rm(partial, { force: true }).catch(() => undefined);
      throw thrown;
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
  signal: AbortSignal | undefined,
): Promise<void> {
  const options = signal ? { signal } : {};
  const file = await open(target, 'w');
  try {
    for await (const { data } of orchestrator.serverStream('DownloadArtifact', { runId, path }, options)) {
      // Unlike write, all of it or an error.
      await file.writeFile(data);
    }
  } finally {
    await file.close();
  }
}
