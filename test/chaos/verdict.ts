import type { ChaosResult } from './chaos.js';

/** What went wrong; nothing where all is as it must be. */
export function verdictOf(result: ChaosResult): string[] {
  const { billed, distinct, metered, openAtKills, orphanBlobs, lostFiles, runs, stuck } = result;
  const faults = runs
    .filter(({ state }) => state !== 'RUN_STATE_SUCCEEDED')
    .map(({ id, state, failure }) => `run ${id} ended ${state}: ${failure}`);
  if (runs.length === 0) faults.push('no run ended');
  if (billed - distinct > openAtKills) {
    faults.push(
      `${billed} images are billed for ${distinct} distinct ones, but only ${openAtKills} were open at kills`,
    );
  }
  if (metered > billed) faults.push(`the teacher charged for ${metered} images, the ledger knows of ${billed}`);
  if (orphanBlobs.after > 0) faults.push(`${orphanBlobs.after} blobs are named by no record`);
  if (lostFiles.length > 0) faults.push(`files of runs are lost: ${lostFiles.join(', ')}`);
  return [...faults, ...stuck];
}
