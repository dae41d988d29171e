import { systemClock } from '@bbdistill/common';
import type { StateStore } from '@bbdistill/common';
import { CallLog, Ledger, answerKeys, openTeacher } from '@bbdistill/teacher-proxy';
import type { TeacherConfig } from '@bbdistill/teacher-proxy';
import type { MeteredCall, MeteredTeacher } from '../helpers/metered-teacher.js';
import { IMAGE_SHAPE, numberedPixels } from '../helpers/proxy-replicas.js';
import { waitFor } from '../helpers/wait-for.js';
import type { ProxyChaosResult, ProxyWork } from './proxy-chaos.js';

/** What the ledger and the teacher's own meter say of one run; counts of images, each attempt counted. */
export interface Books {
  /** What the teacher charged for, and how many different images that were. */
  metered: number;
  distinct: number;
  /** What the teacher failed on and didn't charge. */
  meteredFailures: number;
  settled: number;
  unknown: number;
  /** Of those that are unknown, the ones that a record names. */
  unknownNamed: number;
  /** Images that are unknown at least once. */
  unknownDistinct: number;
  billed: number;
  failed: number;
  /** Images of the calls that the teacher had open when a replica was killed, frozen or cut off. */
  openAtFaults: number;
  /** In the ledger as `unknown`, and never come in at the teacher: their process died between the two. */
  unsent: number;
  /** Charged by the teacher more often than the ledger has them as settled or unknown. */
  unaccounted: number;
  /** In the ledger as `unknown` more often than they were on their way at a fault. */
  lostWithoutFault: number;
  lost: LostImage[];
}

/** What is known of an image that is `unknown` though no fault explains it. */
interface LostImage {
  number: number;
  /** Calls that the ledger has as `unknown`; their names begin with that of the process. */
  unknown: string[];
  /** What the teacher saw, in ms after the nearest fault (before it: negative). */
  asked: { openedMs: number; closedMs: number; isCharged: boolean; fault: string }[];
  /** What the replicas' logs say of those calls, and of anything late about then. */
  said: string[];
}

/** A replica was killed, frozen or cut off. */
export interface Fault {
  atMs: number;
  /** Of a freeze: when it was over. A call that was about to leave does so then, though others have ended it. */
  thawedAtMs?: number;
  name: string;
}

interface BooksOptions {
  state: StateStore;
  config: TeacherConfig;
  meter: MeteredTeacher;
  work: ProxyWork;
  faults: readonly Fault[];
  /** Lines of the replicas' logs. */
  said: readonly string[];
}

/** What the teacher has answered just before a fault isn't stored and settled yet. */
const STORE_MS = 1_000;
/** What was in the ledger as dispatched just before a fault leaves and comes in after it. */
const WAY_MS = 1_000;
const CLOSE_TIMEOUT_MS = 60_000;
/** How long after a call's answer what is logged may have to do with it. */
const ABOUT_MS = 5_000;

/** Waits until no call of the run is open, and compares ledger and meter image by image. */
export async function closeBooks({ state, config, meter, work, faults, said }: BooksOptions): Promise<Books> {
  const ledger = new Ledger(state, config.name, config.price);
  const record = await waitFor(
    'all calls to have an end',
    async () => {
      const read = await ledger.read();
      return Object.values(read.open).every(({ run }) => run !== work.run) && read;
    },
    CLOSE_TIMEOUT_MS,
  );
  const books: Books = {
    metered: 0,
    distinct: 0,
    meteredFailures: 0,
    settled: 0,
    unknown: 0,
    unknownNamed: 0,
    unknownDistinct: 0,
    billed: 0,
    failed: 0,
    openAtFaults: 0,
    unsent: 0,
    unaccounted: 0,
    lostWithoutFault: 0,
    lost: [],
  };
  for (const usage of Object.values(record.runs[work.run] ?? {})) {
    books.settled += usage.settled;
    books.unknown += usage.unknown;
    books.failed += usage.failed;
  }
  books.billed = books.settled + books.unknown;
  const unknownOf = await unknownByImage(new CallLog(state), config, work);
  books.unknownNamed = [...unknownOf.values()].reduce((sum, calls) => sum + calls.length, 0);
  books.unknownDistinct = unknownOf.size;
  const unknownTimes = (number: number) => unknownOf.get(number)?.length ?? 0;
  const { calls } = await meter.meter();
  const wasOpen = ({ openedAtMs, closedAtMs = Infinity }: MeteredCall) =>
    faults.some(({ atMs }) => openedAtMs <= atMs && closedAtMs >= atMs);
  const wasUnderWay = ({ openedAtMs, closedAtMs = Infinity }: MeteredCall) =>
    faults.some(
      ({ atMs, thawedAtMs = Infinity }) =>
        (openedAtMs <= atMs + WAY_MS && closedAtMs >= atMs - STORE_MS) ||
        (openedAtMs >= thawedAtMs && openedAtMs <= thawedAtMs + WAY_MS),
    );
  const seen = ({ openedAtMs, closedAtMs = Infinity, isCharged }: MeteredCall) => {
    const farMs = ({ atMs }: Fault) => Math.abs(closedAtMs - atMs);
    const { atMs, name } = faults.reduce((near, fault) => (farMs(fault) < farMs(near) ? fault : near));
    return { openedMs: Math.round(openedAtMs - atMs), closedMs: Math.round(closedAtMs - atMs), isCharged, fault: name };
  };
  const charged = new Tally();
  const underWay = new Tally();
  const callsOf = new Map<number, MeteredCall[]>();
  for (const call of calls) {
    const isOpen = wasOpen(call);
    const isUnderWay = wasUnderWay(call);
    for (const number of call.numbers) {
      if (number < work.start || number >= work.start + work.images) continue;
      if (call.isCharged) charged.add(number);
      else books.meteredFailures++;
      if (isOpen) books.openAtFaults++;
      if (isUnderWay) underWay.add(number);
      callsOf.set(number, [...(callsOf.get(number) ?? []), call]);
    }
  }
  books.metered = charged.total;
  books.distinct = charged.size;
  books.unsent = books.billed + books.failed - books.metered - books.meteredFailures;
  for (let number = work.start; number < work.start + work.images; number++) {
    // The one beyond those unknown is the one that was answered.
    books.unaccounted += Math.max(0, charged.of(number) - 1 - unknownTimes(number));
    const lost = Math.max(0, unknownTimes(number) - underWay.of(number));
    books.lostWithoutFault += lost;
    if (lost === 0) continue;
    const unknown = unknownOf.get(number)!;
    books.lost.push({
      number,
      unknown,
      asked: (callsOf.get(number) ?? []).map(seen),
      said: said.filter(
        (line) => unknown.some((callId) => line.includes(callId)) || isAbout(line, callsOf.get(number)),
      ),
    });
  }
  return books;
}

/** The calls of each image that never came back, by the ledger's records. */
async function unknownByImage(log: CallLog, config: TeacherConfig, work: ProxyWork): Promise<Map<number, string[]>> {
  const teacher = await openTeacher(config, {}, systemClock);
  const pixels = numberedPixels(work.start, work.images);
  const requests = teacher.canonicalRequests({ count: work.images, shape: IMAGE_SHAPE, pixels });
  const keys = answerKeys(requests, work.images, teacher.cacheIdentity);
  const numbers = new Map(keys.map((key, index) => [key.toString('hex'), work.start + index]));
  await teacher.close();
  const unknown = new Map<number, string[]>();
  for await (const { state, callId, keys: lost } of log.list(config.name)) {
    if (state !== 'unknown') continue;
    for (const hex of lost) {
      const number = numbers.get(hex);
      if (number !== undefined) unknown.set(number, [...(unknown.get(number) ?? []), callId]);
    }
  }
  return unknown;
}

/** Whether a line of a log is of the seconds after one of the calls. */
function isAbout(line: string, calls: readonly MeteredCall[] = []): boolean {
  const atMs = Number(/"time":(\d+)/.exec(line)?.[1] ?? Number.NaN);
  return calls.some(({ closedAtMs = Infinity }) => atMs > closedAtMs - 1_000 && atMs < closedAtMs + ABOUT_MS);
}

class Tally {
  readonly #counts = new Map<number, number>();
  total = 0;

  get size(): number {
    return this.#counts.size;
  }

  add(key: number): void {
    this.#counts.set(key, this.of(key) + 1);
    this.total++;
  }

  of(key: number): number {
    return this.#counts.get(key) ?? 0;
  }
}

/** What isn't as it should be; empty where everything is. */
export function complaints(result: ProxyChaosResult, work: ProxyWork): string[] {
  const { metered, distinct, settled, unknown, unknownNamed, billed, openAtFaults, unsent } = result;
  const found: string[] = [];
  const check = (isGood: boolean, complaint: string) => void (isGood || found.push(complaint));
  const again = metered - distinct;
  check(again <= openAtFaults, `${again} images charged again, ${openAtFaults} were open at faults`);
  check(unsent >= 0, `the teacher worked on ${-unsent} images more than the ledger has`);
  check(unknownNamed === unknown, `${unknown} images unknown, and records name ${unknownNamed}`);
  check(unknown <= openAtFaults + unsent, `${unknown} images unknown, ${openAtFaults} were open at faults`);
  check(
    result.lostWithoutFault <= unsent,
    `${result.lostWithoutFault} images unknown that weren't open at a fault, ${unsent} of them never sent`,
  );
  check(billed <= work.budgetImages, `${billed} images billed, ${work.budgetImages} allowed`);
  check(metered <= work.budgetImages, `${metered} images charged, ${work.budgetImages} allowed`);
  check(result.turnedAway === 0, `${result.turnedAway} calls turned away`);
  if (result.exhausted > 0) {
    check(billed === work.budgetImages, `ended at ${billed} of ${work.budgetImages} images of its budget`);
    return found;
  }
  check(result.answered === work.images, `${work.images - result.answered} images have no answer`);
  // A replica that is cut off keeps an answer that the ledger doesn't hear of: unknown there, and not paid for again.
  const unsettled = work.images - settled;
  check(unsettled >= 0, `${settled} images settled of ${work.images}`);
  check(unsettled <= result.unknownDistinct, `${unsettled} images neither settled nor unknown`);
  check(distinct === work.images, `${distinct} of ${work.images} images charged`);
  check(result.unaccounted === 0, `${result.unaccounted} images charged that the ledger doesn't have`);
  return found;
}
