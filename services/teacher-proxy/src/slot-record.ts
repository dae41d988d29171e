import type { LimitRule } from './limits.js';

/** By how much the wall clocks of replicas may differ. Only slots of the dead are dated by it. */
export const CLOCK_SKEW_MS = 1_000;

/** A replica that holds slots of a teacher or waits for some. */
export interface SlotHolder {
  /** Grows with each sign of life: who stands still for too long is taken for dead. */
  beat: number;
  /** Slots by rule. A slot that was used rests for the rule's window before it is used or given away again. */
  held: Record<string, number>;
  /** Runs whose calls wait here for slots, the most urgent ones only. */
  waiting: string[];
  urgency: number;
  /** Smaller is served first; set when the holder comes, and anew when it hands slots on. */
  turn: number;
}

/** Slots that nobody may use before a moment: their last use isn't known, but it was earlier. */
export interface LapsedSlots {
  rule: string;
  amount: number;
  /** By the wall clock of whoever declared them lapsed. */
  freeAtMs: number;
}

/** No call to the teacher before a moment: what the teacher asked for. */
export interface Hold {
  /** Never the same for two holds, whoever tells of them: who knows the id has heard of this hold. */
  id: string;
  durationMs: number;
  /** By the wall clock of whoever was told. */
  untilMs: number;
  reason: string;
}

/** All replicas' slots of one teacher: one record, changed by compare-and-set. */
export interface SlotRecord {
  schema: 1;
  turns: number;
  holders: Record<string, SlotHolder>;
  lapsed: LapsedSlots[];
  /** Parts of the declared limits in use, lowered when the teacher turns calls away and raised again step by step. */
  brakes: { rate: number; openCalls: number; changedAtMs: number };
  hold?: Hold;
}

export const emptySlots = (): SlotRecord => ({
  schema: 1,
  turns: 0,
  holders: {},
  lapsed: [],
  brakes: { rate: 1, openCalls: 1, changedAtMs: 0 },
});

/** What the rule allows now. */
export function allowed(record: SlotRecord, rule: LimitRule): number {
  const { rate, openCalls } = record.brakes;
  const part = rule.windowMs === 0 ? openCalls : rate;
  return part >= 1 ? rule.amount : Math.max(1, Math.floor((rule.amount * part) / rule.step)) * rule.step;
}

/** Slots that nobody holds and that rest no more. */
export function freeSlots(record: SlotRecord, rule: LimitRule, nowMs: number): number {
  let free = allowed(record, rule);
  for (const { held } of Object.values(record.holders)) free -= held[rule.id] ?? 0;
  for (const lapsed of record.lapsed) if (lapsed.rule === rule.id && lapsed.freeAtMs > nowMs) free -= lapsed.amount;
  return Math.max(0, free);
}

/** Holders whose calls are the most urgent ones that wait anywhere. */
function foremost(record: SlotRecord): SlotHolder[] {
  const waiting = Object.values(record.holders).filter((holder) => holder.waiting.length > 0);
  const urgency = Math.min(...waiting.map((holder) => holder.urgency));
  return waiting.filter((holder) => holder.urgency === urgency);
}

/** The holder's fair part: each run that waits gets the same, shared by the replicas that work for it. */
export function fairShare(record: SlotRecord, rule: LimitRule, id: string): number {
  const holder = record.holders[id];
  const waiting = foremost(record);
  if (!holder || !waiting.includes(holder)) return 0;
  const replicasOf = new Map<string, number>();
  for (const { waiting: runs } of waiting) for (const run of runs) replicasOf.set(run, (replicasOf.get(run) ?? 0) + 1);
  const perRun = allowed(record, rule) / replicasOf.size;
  return holder.waiting.reduce((share, run) => share + perRun / replicasOf.get(run)!, 0);
}

/** The share in whole steps, and at least one. */
function wholeShare(record: SlotRecord, rule: LimitRule, id: string): number {
  return Math.max(1, Math.floor(fairShare(record, rule, id) / rule.step + 1e-9)) * rule.step;
}

const heldOf = (holder: SlotHolder, rule: LimitRule) => holder.held[rule.id] ?? 0;

/** How many slots a waiting holder may take now without taking what another one has a better claim to. */
export function takeable(record: SlotRecord, rule: LimitRule, id: string, nowMs: number): number {
  const me = record.holders[id];
  if (!me) return 0;
  let free = freeSlots(record, rule, nowMs);
  const claims = foremost(record);
  const isForemost = claims.includes(me);
  if (!isForemost && claims.length > 0) return 0;
  for (const [otherId, other] of Object.entries(record.holders)) {
    if (other === me || !claims.includes(other)) continue;
    // Who has nothing comes first, then who has waited longer.
    const mine = heldOf(me, rule);
    const theirs = heldOf(other, rule);
    const isBefore = theirs < mine || (theirs === mine && other.turn < me.turn);
    if (isBefore) free -= Math.max(0, wholeShare(record, rule, otherId) - theirs);
  }
  return Math.max(0, free);
}

/** How many slots the holder has beyond its part while others wait for theirs. */
export function surplus(record: SlotRecord, rule: LimitRule, id: string, hasServed: boolean): number {
  const me = record.holders[id];
  if (!me) return 0;
  const mine = heldOf(me, rule);
  if (mine === 0) return 0;
  const over =
    Object.values(record.holders).reduce((sum, holder) => sum + heldOf(holder, rule), 0) - allowed(record, rule);
  const claims = foremost(record).filter((other) => other !== me);
  const poor = Object.entries(record.holders).filter(
    ([otherId, other]) => claims.includes(other) && heldOf(other, rule) < wholeShare(record, rule, otherId),
  );
  let give = Math.min(mine, Math.max(0, over));
  if (poor.length > 0) {
    const fair = fairShare(record, rule, id);
    // Fewer slots than replicas: they take turns. Nor does one that has no call waiting at this moment lose its last
    // slots at once: the next call is often near.
    const keeps = fair >= rule.step ? wholeShare(record, rule, id) : hasServed ? 0 : rule.step;
    const wanted = poor.reduce(
      (sum, [otherId, other]) => sum + wholeShare(record, rule, otherId) - heldOf(other, rule),
      0,
    );
    give = Math.max(give, Math.min(mine - Math.min(keeps, mine), wanted));
  }
  return give;
}

/** Takes a holder out; what it may have used last can be used by others once the rule's window has passed. */
export function lapse(
  record: SlotRecord,
  id: string,
  rules: readonly LimitRule[],
  freeAtMs: (rule: LimitRule) => number,
): void {
  const holder = record.holders[id];
  if (!holder) return;
  delete record.holders[id];
  for (const rule of rules) {
    const amount = heldOf(holder, rule);
    if (amount > 0) record.lapsed.push({ rule: rule.id, amount, freeAtMs: freeAtMs(rule) });
  }
}

/**
 * Forgets what is over. A date further ahead than any replica's clock can have set it is from before a wall clock was set
 * back: it is brought near, or slots would lie idle for as long as the clock was set back, and nothing would recover.
 * @param longestRestMs how far ahead of its own clock a replica dates slots of a rule at most
 */
export function tidy(record: SlotRecord, nowMs: number, longestRestMs: (ruleId: string) => number): void {
  const { lapsed, hold, brakes } = record;
  const latestMs = nowMs + CLOCK_SKEW_MS;
  for (const slots of lapsed) slots.freeAtMs = Math.min(slots.freeAtMs, latestMs + longestRestMs(slots.rule));
  brakes.changedAtMs = Math.min(brakes.changedAtMs, latestMs);
  if (hold) hold.untilMs = Math.min(hold.untilMs, latestMs + hold.durationMs);
  record.lapsed = lapsed.filter(({ freeAtMs }) => freeAtMs > nowMs);
  if (hold && hold.untilMs + hold.durationMs < nowMs) delete record.hold;
}
