import type { Logger } from '@bbdistill/common';
import type { Ledger } from './budget.js';
import type { OpenCall } from './ledger-record.js';
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
    if (call.isChunk || !isAbandoned(call)) continue;
    const name = { teacher: ledger.teacher, unit: call.unit, callId };
    if (!ledger.mayHaveLeft(callId, call)) {
      await ledger.release(callId);
      await calls.remove(name);
      recovered.released++;
      continue;
    }
    // The record is written before the budget says how many of its images may be asked about.
    const record = await calls.get(name);
    const keys = (record?.keys ?? []).slice(0, call.images);
    const answers = await cache.getMany(keys.map((hex) => Buffer.from(hex, 'hex')));
    // An answer of another call doesn't tell that this one was answered.
    const lost = keys.filter((_, index) => answers[index]?.callId !== callId);
    const settled = keys.length - lost.length;
    const unknown = call.images - settled;
    const noted = unknown > 0 && record ? await calls.replaceByUnknown(name, lost, record.revision) : undefined;
    // Its own process may have come back with the answer, or another one recovers it as well.
    if (unknown > 0 && record && noted === undefined) continue;
    const isMine = await ledger.settle(callId, { settled, unknown, failed: 0, retried: false, charged: true });
    if (!isMine) {
      // Ended meanwhile. Where that was by its own process, which knew that it was never sent or had its answers, nothing
      // is lost; another one that found it would have changed the record, and may have come to know of fewer answers.
      if (record?.state === 'asked' && noted !== undefined) await calls.remove(name, noted);
      continue;
    }
    if (unknown === 0) await calls.remove(name);
    recovered.settled += settled;
    recovered.unknown += unknown;
  }
  for (const [chunkId, chunk] of Object.entries(open)) {
    if (chunk.isChunk && isAbandoned(chunk)) await ledger.endChunk(chunkId);
  }
  await removeLeftovers(options);
  await ledger.sweep();
  if (recovered.released + recovered.settled + recovered.unknown > 0) {
    logger.warn({ teacher: ledger.teacher, ...recovered }, 'recovered the calls of a process that died');
  }
  return recovered;
}

/** Records of calls that were settled just before the crash, or written and never entered into the ledger. */
async function removeLeftovers({ ledger, calls }: RecoveryOptions): Promise<void> {
  const asked: CallRecord[] = [];
  for await (const record of calls.list(ledger.teacher)) if (record.state === 'asked') asked.push(record);
  // Read after the list: whoever writes a record is in the ledger before.
  const { open, holders = {} } = await ledger.read();
  const living = Object.keys(holders);
  for (const record of asked) {
    if (!open[record.callId] && !living.some((holder) => isOf(holder, record))) await calls.remove(record);
  }
}

/** A process that others took for dead goes on under its name with `.g` and a number. */
function isOf(holder: string, { callId }: CallRecord): boolean {
  const maker = callId.slice(0, callId.lastIndexOf('.'));
  return holder === maker || holder.startsWith(`${maker}.g`);
}
