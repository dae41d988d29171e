import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { LocalProcess } from '../../deploy/local/process.js';

const SAMPLE_MS = 500;

/** @returns resident memory in MiB; undefined where the process is gone */
export async function residentMib(pid: number | undefined): Promise<number | undefined> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
  return kib === undefined ? undefined : Math.round(Number(kib) / 1024);
}

/** Looks at the resident memory of processes until it is stopped. */
export class ResidentMemory {
  /** MiB, one entry a sample. */
  readonly samples: Record<string, number[]> = {};
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
        const mib = await residentMib(pid);
        if (mib !== undefined) (this.samples[name] ??= []).push(mib);
      }
      await delay(SAMPLE_MS, undefined, { signal: this.#stop.signal }).catch(() => undefined);
    }
  }
}
