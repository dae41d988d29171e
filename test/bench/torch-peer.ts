import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Contestant, Stint } from './contestant.js';

const SCRIPT = fileURLToPath(new URL('peers/torch_engine.py', import.meta.url));

/**
 * PyTorch in a process of its own, on so many threads.
 * @param python an interpreter that has torch
 * @param device as PyTorch names it, e.g. `cuda`; default: its CPU
 * @throws Error with what the interpreter said where it has none
 */
export async function startTorchPeer(python: string, threads: number, device?: string): Promise<Contestant> {
  const child = spawn(python, [SCRIPT, String(threads), ...(device ? [device] : [])], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let complaint = '';
  child.stderr.on('data', (chunk: Buffer) => (complaint += chunk.toString()));
  const failed = once(child, 'error').then(([error]) => Promise.reject(error as Error));
  failed.catch(() => undefined);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const answer = async (): Promise<unknown> => {
    const line: IteratorResult<string, undefined> = await Promise.race([lines.next(), failed]);
    if (line.done) throw new Error(complaint.trim().split('\n').at(-1) ?? 'it ended without a word');
    return JSON.parse(line.value);
  };
  const { version } = (await answer()) as { version: string };
  return {
    engine: `pytorch ${version}${device ? ` on ${device}` : ''}`,
    threads,
    isPeer: true,
    async run(name, seconds) {
      child.stdin.write(`${JSON.stringify({ case: name, seconds })}\n`);
      return (await answer()) as Stint;
    },
    async stop() {
      child.stdin.end();
      await once(child, 'exit');
    },
  };
}
