import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { standBack } from '@bbdistill/common/base';

/** What is started, again and again the same way but for the address that it got the first time. */
export interface Program {
  name: string;
  file: string;
  /** @param address of an earlier start; absent at the first */
  args: (address: string | undefined) => readonly string[];
  env: () => Readonly<Record<string, string>>;
  /** Everything it writes goes there. */
  logFile: string;
  /** How far it stands back for others where cores are short, 0 (not at all) to 19. Default 0. */
  niceness?: number;
  /** Resolves with the address once it can be used. */
  ready: (running: RunningProgram) => Promise<string>;
}

/** What a program's own readiness check may look at. */
export interface RunningProgram {
  readonly pid: number;
  /** Aborts when the process has ended. */
  readonly ended: AbortSignal;
  /** The first line of standard output that matches. */
  line(pattern: RegExp): Promise<RegExpExecArray>;
}

/** How long a process may take to end in order. */
const STOP_GRACE_MS = 15_000;

/** One program on this machine that can be stopped, killed, frozen and started again at the same address. */
export class LocalProcess {
  #child: ChildProcess | undefined;
  #ended: Promise<void> = Promise.resolve();
  #address: string | undefined;
  #starts = 0;
  #isReady = false;

  constructor(readonly program: Program) {}

  get name(): string {
    return this.program.name;
  }

  /** `host:port`. */
  get address(): string {
    if (this.#address === undefined) throw new Error(`${this.name} has not been started`);
    return this.#address;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  get isRunning(): boolean {
    return this.#child !== undefined;
  }

  /** It runs and can be used. */
  get isReady(): boolean {
    return this.isRunning && this.#isReady;
  }

  /** Resolves when the process has ended, by itself or not. */
  get ended(): Promise<void> {
    return this.#ended;
  }

  /** How often it was started. */
  get starts(): number {
    return this.#starts;
  }

  /** Starts it and waits until it can be used. */
  async start(): Promise<void> {
    if (this.#child) throw new Error(`${this.name} runs already`);
    const { file, args, env, logFile, ready, name, niceness = 0 } = this.program;
    // A group of its own: Ctrl-C in a terminal must not end NATS before those who still write to it.
    const child = spawn(file, [...args(this.#address)], {
      env: { ...process.env, ...env() },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    this.#child = child;
    if (child.pid !== undefined && niceness > 0) void standBack(child.pid, niceness);
    this.#isReady = false;
    this.#starts++;
    const gone = new AbortController();
    const log = createWriteStream(logFile, { flags: 'a' });
    child.stdout.pipe(log, { end: false });
    child.stderr.pipe(log, { end: false });
    const lines: string[] = [];
    const waiting = new Set<() => void>();
    createInterface({ input: child.stdout }).on('line', (line) => {
      lines.push(line);
      for (const wake of waiting) wake();
    });
    // Whoever started it may end without stopping it, e.g. by an error.
    const onExit = () => void child.kill('SIGKILL');
    process.on('exit', onExit);
    this.#ended = new Promise((resolve) => {
      const onEnd = () => {
        if (this.#child === child) this.#child = undefined;
        gone.abort(new Error(`${name} ended before it was ready: see ${logFile}`));
        log.end();
        process.off('exit', onExit);
        for (const wake of waiting) wake();
        resolve();
      };
      child.once('close', onEnd).once('error', onEnd);
    });
    const line = async (pattern: RegExp) => {
      for (;;) {
        const found = lines.map((each) => pattern.exec(each)).find((match) => match !== null);
        if (found) return found;
        gone.signal.throwIfAborted();
        await new Promise<void>((resolve) => {
          const wake = () => {
            waiting.delete(wake);
            resolve();
          };
          waiting.add(wake);
        });
      }
    };
    this.#address = await ready({ pid: child.pid ?? 0, ended: gone.signal, line });
    this.#isReady = true;
  }

  /** Sends a signal, e.g. `SIGSTOP`. */
  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** `kill -9`, and waits until it is gone. */
  async kill(): Promise<void> {
    this.signal('SIGKILL');
    await this.#ended;
  }

  /** Ends it in order; by force where that takes too long. */
  async stop(): Promise<void> {
    this.signal('SIGTERM');
    const force = setTimeout(() => this.signal('SIGKILL'), STOP_GRACE_MS);
    await this.#ended;
    clearTimeout(force);
  }
}
