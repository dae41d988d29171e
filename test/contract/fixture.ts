import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Stores } from '@bbdistill/common';
import { startChild } from '../helpers/child.js';
import type { Child } from '../helpers/child.js';

/** Stores under test, over data that outlives them. */
export interface StoresFixture extends AsyncDisposable {
  readonly stores: Stores;
  /** Closes the stores and opens them on the same data. */
  reopen(): Promise<Stores>;
  /** Closes the stores and leaves the data to a child process. */
  close(): Promise<void>;
  /** What `crash-child.ts` needs to open the same data. */
  readonly childArguments: readonly string[];
}

export interface FixtureOptions {
  ackWaitMs?: number;
}

export type OpenFixture = (options?: FixtureOptions) => Promise<StoresFixture>;

const TSX = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
const CRASH_CHILD = fileURLToPath(new URL('./crash-child.ts', import.meta.url));

/**
 * A process that does one kind of work on the fixture's data, and says a line for all that is acknowledged.
 * @param limit shell command that goes before, e.g. `ulimit -f 4000`
 */
export function startCrashChild(work: string, childArguments: readonly string[], limit = ':'): Child {
  const node = [process.execPath, '--import', TSX, CRASH_CHILD, work, ...childArguments];
  return startChild('/bin/sh', ['-c', `${limit}; exec "$0" "$@"`, ...node]);
}

/** Lets the child work until it has said so many lines, then kills it in the middle of what it does. */
export async function killAfterLines(child: Child, lines: number): Promise<string[]> {
  await child.saidLines(lines);
  child.kill('SIGKILL');
  await child.ended;
  return [...child.lines];
}

export async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of source) items.push(item);
  return items;
}

export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
export const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
