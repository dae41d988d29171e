import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { waitFor } from './wait-for.js';

export interface Child extends AsyncDisposable {
  readonly process: ChildProcess;
  /** Lines of standard output so far. */
  readonly lines: readonly string[];
  /** What it wrote to standard error so far. */
  readonly errorOutput: () => string;
  /** The first line that matches, waited for; fails when the child ends without it. */
  line(pattern: RegExp, timeoutMs?: number): Promise<RegExpExecArray>;
  /** Waits until it has said so many lines; fails when it ends before. */
  saidLines(count: number, timeoutMs?: number): Promise<void>;
  kill(signal?: NodeJS.Signals): void;
  /** Exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>;
}

/** Runs a program; `await using` kills it. */
export function startChild(
  command: string,
  args: readonly string[],
  options: { cwd?: string; env?: Record<string, string> } = {},
): Child {
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const lines: string[] = [];
  let errorOutput = '';
  let result: number | NodeJS.Signals | undefined;
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  child.stderr.on('data', (data: Buffer) => (errorOutput += data.toString()));
  const ended = new Promise<number | NodeJS.Signals>((resolve, reject) => {
    child.on('error', reject);
    // `close` comes after the last output, `exit` may come before it.
    child.on('close', (code, signal) => resolve((result = code ?? signal ?? 0)));
  });
  ended.catch(() => undefined);
  return {
    process: child,
    lines,
    errorOutput: () => errorOutput,
    line: (pattern, timeoutMs) =>
      waitFor(
        `a line like ${String(pattern)}`,
        () => {
          const found = lines.map((line) => pattern.exec(line)).find((match) => match !== null);
          if (!found && result !== undefined) {
            throw new Error(`the child ended with ${result} before it said ${String(pattern)}: ${errorOutput}`);
          }
          return found;
        },
        timeoutMs,
      ),
    async saidLines(count, timeoutMs) {
      await waitFor(
        `${count} lines`,
        () => {
          if (lines.length < count && result !== undefined) {
            throw new Error(`the child ended with ${result} after ${lines.length} lines: ${errorOutput}`);
          }
          return lines.length >= count;
        },
        timeoutMs,
      );
    },
    kill: (signal = 'SIGKILL') => child.kill(signal),
    ended,
    async [Symbol.asyncDispose]() {
      if (result === undefined) child.kill('SIGKILL');
      await ended.catch(() => undefined);
    },
  };
}
