import { fileURLToPath } from 'node:url';
import { startChild } from './child.js';
import type { Child } from './child.js';

export interface MeterReading {
  /** Every image that the teacher worked on, i.e. charged for. */
  images: number;
  distinct: number;
  /** Calls that the teacher has open now, and their images. */
  open: number;
  openImages: number;
  calls: MeteredCall[];
}

export interface MeteredCall {
  images: number;
  /** Of each image its first four pixels, little endian. */
  numbers: number[];
  /** False where the teacher failed. */
  isCharged: boolean;
  openedAtMs: number;
  closedAtMs?: number;
}

export type MeteredMode =
  | 'answer'
  | 'nan'
  | 'negative'
  | 'unnormalised'
  | 'slightly-unnormalised'
  | 'short'
  | 'garbage'
  | 'drop'
  | 'throttle'
  | 'unavailable'
  | 'fail'
  | 'refuse';

export interface Behaviour {
  latencyMs?: number;
  /** Calls stay open until it is false again. */
  hold?: boolean;
  mode?: MeteredMode;
  /** How many calls the mode lasts; -1 = for ever. */
  modeCalls?: number;
  /** Sent with 429 and 503. */
  retryAfter?: string;
  /** Whether the binary tensor extension is offered. */
  binary?: boolean;
  /** What is beyond it is turned away with 429. */
  limit?: { kind: 'sliding' | 'bucket'; imagesPerSecond: number; burst?: number };
  /** Calls open at once; what is beyond is turned away with 429. */
  concurrency?: number;
  /** This part of the calls fails with 500, uncharged. */
  failPart?: number;
  /** What the authorization header has to be. */
  token?: string;
}

/** The meter without its calls; times in ms of the teacher's own clock. */
export interface MeterSummary extends Omit<MeterReading, 'calls'> {
  callCount: number;
  turnedAway: number[];
  mostOpen: number;
  /** When a call was let through, and its images. */
  passed: [number, number][];
}

export interface MeteredTeacher extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly model: 'reference';
  meter(): Promise<MeterReading>;
  summary(): Promise<MeterSummary>;
  control(behaviour: Behaviour): Promise<void>;
  readonly child: Child;
}

const SCRIPT = fileURLToPath(new URL('../fixtures/teachers/metered-teacher.mjs', import.meta.url));

/**
 * A black-box teacher in a process of its own (Open Inference Protocol over HTTP, 8x8x1 images, 4 classes), whose
 * meter tells how many images it was asked about. `await using` ends it.
 */
export async function startMeteredTeacher(behaviour: Behaviour = {}, port = 0): Promise<MeteredTeacher> {
  const child = startChild(process.execPath, [SCRIPT], {
    env: { BEHAVIOUR: JSON.stringify(behaviour), PORT: String(port) },
  });
  const [, found] = await child.line(/^listening on (\d+)$/);
  const url = `http://127.0.0.1:${found}`;
  return {
    url,
    port: Number(found),
    model: 'reference',
    child,
    async meter() {
      return (await (await fetch(`${url}/meter`)).json()) as MeterReading;
    },
    async summary() {
      return (await (await fetch(`${url}/summary`)).json()) as MeterSummary;
    },
    async control(change) {
      const response = await fetch(`${url}/control`, { method: 'POST', body: JSON.stringify(change) });
      if (!response.ok) throw new Error(`the metered teacher refuses ${JSON.stringify(change)}`);
    },
    [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
  };
}
