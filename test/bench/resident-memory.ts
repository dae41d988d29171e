import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { LocalProcess } from '../../deploy/local/process.js';

const SAMPLE_MS = 500;
/** Of Linux on every machine that Node.js runs on. */
const TICKS_PER_SECOND = 100;

/** @returns resident memory in MiB; undefined where the process is gone */
export async function residentMib(pid: number | undefined): Promise<number | undefined> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
  return kib === undefined ? undefined : Math.round(Number(kib) / 1024);
}

/** Seconds of a core that a process took until now, with those of its children that have ended. */
export async function cpuSeconds(pid: number | undefined): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  // The program's name comes before, in brackets, and may hold anything.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / TICKS_PER_SECOND;
}

async function childrenOf(pid: number | undefined): Promise<number[]> {
  // Of its main thread, which starts them all.
  const list = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  return list.split(' ').filter(Boolean).map(Number);
}

/** Looks at memory and CPU time of processes and of those that they started, until it is stopped. */
export class ResidentMemory {
  /** MiB, one entry a sample. */
  readonly samples: Record<string, number[]> = {};
  /** Seconds of a core since the first sample, as of the last one. */
  readonly cpuSeconds: Record<string, number> = {};
  readonly #cpuBefore: Record<string, number> = {};
  readonly #stop = new AbortController();
  readonly #sampling: Promise<void>;

  constructor(private readonly processes: readonly LocalProcess[]) {
    this.#sampling = this.#sample();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#sampling;
  }

  async #sample(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      for (const { name, pid } of this.processes) {
        this.#cpuBefore[name] ??= await cpuSeconds(pid);
        await this.#look(name, pid);
        const children = await childrenOf(pid);
        for (const [number, child] of children.entries()) await this.#look(`${name}, child ${number + 1}`, child);
      }
      await delay(SAMPLE_MS, undefined, { signal: this.#stop.signal }).catch(() => undefined);
    }
  }

  async #look(name: string, pid: number | undefined): Promise<void> {
    const mib = await residentMib(pid);
    if (mib === undefined) return;
    (this.samples[name] ??= []).push(mib);
    this.cpuSeconds[name] = (await cpuSeconds(pid)) - (this.#cpuBefore[name] ?? 0);
  }
}
