import { execFileSync, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const script = fileURLToPath(new URL('../../scripts/install-cluster-tools.mjs', import.meta.url));

export interface Toolchain {
  /** Name of a program → its path. */
  programs: Record<string, string>;
  /** Kubernetes' description of its objects: of the oldest release that the chart promises to run on first. */
  openApis: { release: string; path: string }[];
}

/**
 * What `npm run setup:helm` or `npm run setup:cluster` got.
 * @throws Error that says which of the two to run
 */
export function findToolchain(which: 'helm' | 'cluster'): Toolchain {
  const found = spawnSync(process.execPath, [script, which, '--find'], { encoding: 'utf8' });
  if (found.status !== 0) throw new Error(`run npm run setup:${which} first (${found.stderr.trim()})`);
  return JSON.parse(found.stdout) as Toolchain;
}

/** Runs a program and gives back what it said, whether or not it succeeded. */
export function tryRun(program: string, args: readonly string[]): { ok: boolean; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', maxBuffer: 1 << 26 });
  return { ok: status === 0, stdout, stderr };
}

/** @throws Error with what the program said where it failed */
export function run(program: string, args: readonly string[]): string {
  return execFileSync(program, args, { encoding: 'utf8', maxBuffer: 1 << 26 });
}
