import type { Logger } from '@bbdistill/common';
import type { Ledger, OpenCall } from './budget.js';
import type { AnswerCache } from './cache.js';
import type { CallLog, CallRecord } from './calls.js';

export interface RecoveryOptions {
  ledger: Ledger;
  calls: CallLog;
  cache: AnswerCache;
  /** Whether the process that holds the call is gone for good. */
  isAbandoned: (call: OpenCall) => boolean;
  logger: Logger;
}

export interface Recovered {
  /** Calls that had never been dispatched: their reservations are given back. */
  released: number;
  /** Images of dispatched calls whose answers had been stored. */
  settled: number;
  /** Images of dispatched calls whose answers never came: spent for ever. */
  unknown: number;
}

/** Brings the calls of processes that died to their end; no image is asked about. */
export async function recoverOpenCalls(options: RecoveryOptions): Promise<Recovered> {
  const { ledger, calls, cache, isAbandoned, logger } = options;
  const recovered: Recovered = { released: 0, settled: 0, unknown: 0 };
  const { open } = await ledger.read();
  for (const [callId, call] of Object.entries(open)) {
    if (!isAbandoned(call)) continue;
    const name = { teacher: ledger.teacher, unit: call.unit, callId };
    if (call.state === 'reserved') {
      await ledger.release(callId);
      await calls.remove(name);
      recovered.released++;
      continue;
    }
    const keys = (await calls.get(name))?.keys ?? [];
    const answers = await cache.getMany(keys.map((hex) => Buffer.from(hex, 'hex')));
    // An answer of another call doesn't tell that this one was answered.
    const lost = keys.filter((_, index) => answers[index]?.callId !== callId);
    const settled = keys.length - lost.length;
    const unknown = call.images - settled;
    if (unknown > 0) await calls.markUnknown(name, lost);
    await ledger.settle(callId, { settled, unknown, failed: 0, retried: false, charged: true });
    if (unknown === 0) await calls.remove(name);
    recovered.settled += settled;
    recovered.unknown += unknown;
  }
  await removeLeftovers(options);
  if (recovered.released + recovered.settled + recovered.unknown > 0) {
    logger.warn({ teacher: ledger.teacher, ...recovered }, 'recovered the calls of a process that died');
  }
  return recovered;
}

/** Records of calls that were settled just before the crash, or reserved and never entered into the ledger. */
async function removeLeftovers({ ledger, calls }: RecoveryOptions): Promise<void> {
  const asked: CallRecord[] = [];
  for await (const record of calls.list(ledger.teacher)) if (record.state === 'asked') asked.push(record);
  // Read after the list: a record is written after its reservation, so a live call's is in the ledger by now.
  const { open } = await ledger.read();
  for (const record of asked) if (!open[record.callId]) await calls.remove(record);
}
