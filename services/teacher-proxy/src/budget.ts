import {
  BbdError,
  GroupCommit,
  KeyExistsError,
  RevisionMismatchError,
  asBbdError,
  decodeJson,
  encodeJson,
  outcomeOf,
} from '@bbdistill/common';
import type { Clock, Outcome, ProcessMarks, RandomStream, StateStore } from '@bbdistill/common';
import { Allowance } from './allowance.js';
import type { Left, Warning } from './allowance.js';
import { BudgetExhaustedError } from './budget-exhausted.js';
import { ClaimLostError } from './claim-lost.js';
import { MAX_RUNS_IN_LEDGER, latestOf, openCall, usedBy } from './ledger-record.js';
import type {
  Budget,
  LedgerRecord,
  OpenCall,
  ReserveRequest,
  RunUsage,
  Settlement,
  Spent,
  Used,
} from './ledger-record.js';
import type { Price, TeacherBudget } from './registry.js';
import { OwnChunks } from './own-chunks.js';
import { Shares, chunkWith, leftOf, noUsage, settleIn, sharesOf } from './share.js';
import type { ChunkGrant, ShareRecord } from './share.js';

export interface LedgerOptions {
  clock: Clock;
  /** A process that shows no life for so long is taken for dead. Longer than a call may take. */
  leaseMs: number;
  /** For how long to wait after another process's write came first; absent: not at all. */
  random?: RandomStream;
  /** Where they are at hand, a reserved call is marked as dispatched without a write that waits for the disk. */
  marks?: ProcessMarks;
  /** The operator's ceilings over all runs. */
  budget?: TeacherBudget;
  /**
   * Other processes spend from the same record: where they come in each other's way, each takes chunks of the budget and
   * spends them in a record of its own.
   */
  hasPeers?: boolean;
  /** Told once when a run (or the teacher, `*`) has spent the part of its budget from which a warning is due. */
  onWarning?: (run: string, spent: Spent, budget: Budget) => void;
}

/** How much sooner a process itself doubts its claim than others do. */
const CLAIM_MARGIN_MS = 2_000;
const BEATS_PER_LEASE = 4;
const MAX_CONFLICT_BACKOFF_MS = 16;
/** Of what is left of a budget, the part that all processes together have in chunks at most. */
const CHUNK_PART = 0.5;
interface Loaded {
  value: LedgerRecord;
  bytes: Uint8Array;
  revision: number | undefined;
}

interface Change {
  /** Whose earlier usage has to be at hand. */
  run: string | undefined;
  apply: (record: LedgerRecord) => unknown;
}

/**
 * The one record of a teacher that holds the counters which must hold together. Every step of a call is one atomic
 * compare-and-set; steps that wait while another is being written are written together, so that many calls in flight
 * cost few writes.
 */
export class Ledger {
  readonly #allowance: Allowance;
  #record: Loaded | undefined;
  /** What was read or written last, also while another process's write makes it old. */
  #lastSeen: LedgerRecord | undefined;
  readonly #changes = new GroupCommit<Change>((changes) => this.#commit(changes));
  /** Others write as well: what is known is likely to be old, and a look costs less than a write that is refused. */
  #isContended = false;
  #onChanged: (() => void)[] = [];
  /** Holders that this process answers for: how many tasks need each, and when its last write began. */
  readonly #joined = new Map<string, { tasks: number; aliveAtMs: number }>();
  /** Holders that others took for dead: what they had claimed may be another's by now, so their names never come back. */
  readonly #lost = new Set<string>();
  /** Last signs of life of this process's holders, also of those that have left: whoever comes back must not repeat one. */
  readonly #beats = new Map<string, number>();
  #beating: AbortController | undefined;
  #warnings: Warning[] = [];
  #entering: string[] = [];
  /** What happened and could not be written. */
  #owed: ((record: LedgerRecord) => unknown)[] = [];
  /** Records of chunks: those of this process, and those of others whose calls are being recovered. */
  readonly #shares: Shares;
  /** Absent where each call is set aside in the record that all share. */
  readonly #chunks: OwnChunks | undefined;

  constructor(
    private readonly state: StateStore,
    readonly teacher: string,
    private readonly price: Price,
    private readonly options?: LedgerOptions,
  ) {
    this.#allowance = new Allowance(price, options?.clock, options?.budget);
    this.#shares = new Shares(state, teacher);
    if (!options?.hasPeers) return;
    this.#chunks = new OwnChunks({
      teacher,
      price,
      clock: options.clock,
      shares: this.#shares,
      grant: (request, chunkId, calls) => this.#grantChunk(request, chunkId, calls),
      giveBack: (chunkId, used) => this.#change((record) => this.#giveBack(record, chunkId, used)),
    });
  }

  /**
   * Shows others that the holder lives, until as many `leave`s. To be called before it claims or reserves anything.
   * @throws ClaimLostError where others took it for dead: go on under another name
   */
  async join(holder: string): Promise<void> {
    const joined = this.#joined.get(holder);
    if (joined) joined.tasks++;
    try {
      await this.#change((record) => this.#enter(record, holder));
    } catch (error) {
      if (joined) joined.tasks--;
      throw error;
    }
    if (!joined) {
      const entered = this.#joined.get(holder);
      if (entered) entered.tasks++;
    }
    this.#beat();
  }

  leave(holder: string): void {
    const joined = this.#joined.get(holder);
    if (joined) joined.tasks = Math.max(0, joined.tasks - 1);
  }

  /**
   * Whether others can't have taken this process for dead yet. Right before the first byte leaves, by the monotonic
   * clock: a process that was frozen since its last write has to write again first.
   */
  isAlive(holder: string): boolean {
    const { clock, leaseMs } = this.options ?? {};
    const joined = this.#joined.get(holder);
    if (!clock || leaseMs === undefined) return true;
    return (
      joined !== undefined && clock.monotonicMs() - joined.aliveAtMs < Math.max(leaseMs - CLAIM_MARGIN_MS, leaseMs / 2)
    );
  }

  /**
   * From here on a holder that was taken for dead sends no more calls, should it come back: what it has open can be brought
   * to its end.
   * @param beat its last sign of life
   * @returns false where it has shown life since
   */
  async condemn(holder: string, beat: number): Promise<boolean> {
    return this.#change((record) => {
      if (record.holders?.[holder] !== beat) return false;
      if (beat >= 0) record.holders[holder] = -1 - beat;
      return true;
    });
  }

  /** Takes a holder out whose calls have been brought to their end; what it claimed is free. */
  async bury(holder: string): Promise<void> {
    const isBuried = await this.#change((record) => {
      const isOpen = Object.values(record.open).some((call) => call.holder === holder);
      this.#noteBeat(holder, record.holders?.[holder]);
      if (record.holders && !isOpen) delete record.holders[holder];
      return !isOpen;
    });
    if (isBuried && this.#chunks) await this.#removeShare(holder);
  }

  /** Stops showing life. */
  async close(): Promise<void> {
    this.#beating?.abort();
    await this.#chunks?.close();
    for (const holder of [...this.#joined.keys()]) {
      this.#joined.delete(holder);
      await this.bury(holder);
    }
  }

  /**
   * Sets a part of the budget aside for one call.
   * @returns how many of the images are granted: 1 or more, or 0 where open calls hold the rest of the budget
   * @throws BudgetExhaustedError where nothing is left and nothing is open
   */
  async reserve(request: ReserveRequest): Promise<number> {
    const granted = await this.#chunks?.reserve(request);
    if (granted) return granted;
    return this.#change((record) => {
      if (record.open[request.callId]) return record.open[request.callId]!.images;
      const { run, holder, budget } = request;
      const { images: affordable, spent, reached, freeLeft } = this.#allowance.left(record, run, budget);
      const images = Math.min(request.images, affordable);
      if (images <= 0) {
        if ((reached?.spent ?? spent).openImages > 0) return 0;
        throw new BudgetExhaustedError(run, this.teacher, spent, budget, reached?.name);
      }
      this.#enter(record, holder);
      record.runs[run] ??= {};
      record.open[request.callId] = openCall(request, images, freeLeft, this.price);
      this.#warn(record, run, budget);
      return images;
    }, request.run);
  }

  /** Whether to dispatch a reserved call costs next to nothing. */
  get marksDispatch(): boolean {
    return this.options?.marks !== undefined;
  }

  /**
   * From here on the call counts as made. To be durable before the first byte leaves: where it is only marked, it is
   * after the end of this process, and after one of the machine every reserved call counts as made.
   * @throws ClaimLostError where others have brought the call to its end: it must not be sent
   */
  async dispatch(callId: string): Promise<void> {
    const { marks } = this.options ?? {};
    const holder = this.#lastSeen?.open[callId]?.holder;
    if (marks && holder !== undefined && this.isAlive(holder)) return marks.add(callId);
    const sharer = this.#shares.holderOf(callId);
    if (sharer !== undefined) {
      // In this order: who is alive after the first write had no call taken out of its hands before the second one.
      if (!this.isAlive(sharer)) await this.#change((record) => this.#showLife(record, sharer));
      return this.#shares.of(sharer).change((record) => {
        const call = chunkWith(record, callId)?.open[callId];
        if (!call || record.sealed) throw new ClaimLostError(sharer, this.teacher);
        call.state = 'dispatched';
      });
    }
    await this.#change((record) => {
      const call = record.open[callId];
      if (!call) throw new ClaimLostError(`the process that makes call ${callId}`, this.teacher);
      this.#enter(record, call.holder);
      call.state = 'dispatched';
    });
  }

  /** Whether the request of an open call may have reached the teacher, as far as the process that made it could tell. */
  mayHaveLeft(callId: string, { state }: Pick<OpenCall, 'state'>): boolean {
    const { marks } = this.options ?? {};
    return state === 'dispatched' || (marks !== undefined && (!marks.isWhole || marks.has(callId)));
  }

  /** Gives back what a call that was never dispatched held. */
  async release(callId: string): Promise<void> {
    const remove = (open: Record<string, OpenCall>) => {
      const call = open[callId];
      if (call && this.mayHaveLeft(callId, call)) {
        throw new BbdError('internal', `call ${callId} was dispatched: it can be settled, not released`);
      }
      delete open[callId];
    };
    const sharer = this.#shares.holderOf(callId);
    if (sharer === undefined) return this.#change((record) => remove(record.open));
    await this.#shares.of(sharer).change((record) => {
      this.#seal(record, sharer);
      remove(chunkWith(record, callId)?.open ?? {});
    });
    this.#shares.forget(callId);
  }

  /**
   * Takes back a call of which its own sender knows that it was never sent; done later where the store is away.
   * @returns whether it was open until then: else others have ended it, or it never was
   */
  async withdraw(callId: string): Promise<boolean> {
    const take = (open: Record<string, OpenCall> = {}) => {
      const isOpen = open[callId] !== undefined;
      delete open[callId];
      return isOpen;
    };
    const sharer = this.#shares.holderOf(callId);
    const wasOpen =
      sharer === undefined
        ? await this.#soonerOrLater((record) => take(record.open))
        : await this.#shares
            .of(sharer)
            .soonerOrLater((record) => !record.sealed && take(chunkWith(record, callId)?.open));
    this.options?.marks?.remove(callId);
    this.#shares.forget(callId);
    return wasOpen;
  }

  /**
   * Ends a dispatched call. A call that is settled already stays as it is. Where the store is away this fails, and is
   * made up for by the next write.
   * @returns whether it was this settlement that ended the call
   */
  async settle(callId: string, settlement: Settlement): Promise<boolean> {
    const sharer = this.#shares.holderOf(callId);
    const isEnded =
      sharer === undefined
        ? await this.#soonerOrLater((record) => {
            const call = record.open[callId];
            if (!call) return false;
            delete record.open[callId];
            this.#allowance.spend(record, call, usedBy(settlement, call, this.price));
            return true;
          })
        : await this.#shares.of(sharer).soonerOrLater((record) => {
            if (record.sealed && this.#isOwn(sharer)) return false;
            this.#seal(record, sharer);
            const chunk = chunkWith(record, callId);
            return chunk !== undefined && settleIn(chunk, callId, settlement, this.price);
          });
    this.#shares.forget(callId);
    this.options?.marks?.remove(callId);
    return isEnded;
  }

  /** All runs, also those that left the record. */
  async *usage(run?: string): AsyncIterable<[string, RunUsage]> {
    const { runs } = await this.read();
    const archived = run === undefined ? archiveOf(this.teacher, '') : archiveOf(this.teacher, run);
    for await (const entry of this.state.list(archived)) {
      const name = entry.key.slice(archiveOf(this.teacher, '').length);
      if (!runs[name] && (run === undefined || name === run)) yield [name, decodeJson<RunUsage>(entry.value)];
    }
    for (const [name, usage] of Object.entries(runs)) if (run === undefined || name === run) yield [name, usage];
  }

  /**
   * Whether nothing is left for the run by what this process has seen last: for whoever would wait long before it asks.
   * Only {@link reserve} decides.
   */
  seemsSpent(run: string, budget: Budget): boolean {
    const record = this.#lastSeen;
    if (!record) return true;
    if (this.#chunks?.haveRoom(run)) return false;
    return this.#allowance.left(record, run, budget).images <= 0;
  }

  /** What the teacher's own budgets leave to a run without one; infinite where none is declared. */
  async leftToAll(): Promise<Pick<Left, 'images' | 'moneyMicros'>> {
    return this.#allowance.left(await this.read(), '', {});
  }

  /** With what the chunks of all processes are made up of in place of the chunks. */
  async read(): Promise<LedgerRecord> {
    const shared = await this.#change((record) => structuredClone(record));
    if (!Object.values(shared.open).some(({ isChunk }) => isChunk)) return shared;
    const shares = new Map<string, ShareRecord>();
    const prefix = sharesOf(this.teacher);
    for await (const { key, value } of this.state.list(prefix)) {
      shares.set(key.slice(prefix.length), decodeJson<ShareRecord>(value));
    }
    // Read again: a chunk that was given back meanwhile has its usage in there.
    return this.#withShares(await this.#change((record) => structuredClone(record)), shares);
  }

  /** Processes that make calls or claim images, with a number that changes with each sign of life. */
  async holders(): Promise<Record<string, number>> {
    return this.#change((record) => ({ ...record.holders }));
  }

  /**
   * Gives a chunk back whose holder is gone, once its calls have been brought to their end.
   * @throws BbdError `internal` where calls of it are open
   */
  async endChunk(chunkId: string): Promise<void> {
    const { holder } = this.#lastSeen?.open[chunkId] ?? {};
    if (holder === undefined) return;
    const used = await this.#shares.of(holder).change((record) => {
      // Written in any case: a process that stood still must not begin to spend it.
      this.#seal(record, holder);
      const chunk = record.chunks[chunkId];
      if (chunk && Object.keys(chunk.open).length > 0) {
        throw new BbdError('internal', `chunk ${chunkId} has open calls: they have to be settled or released first`);
      }
      return { ...(chunk?.used ?? noUsage()) };
    });
    await this.#change((record) => this.#giveBack(record, chunkId, used));
  }

  /** Takes out what processes have left behind that are in the ledger no more. */
  async sweep(): Promise<void> {
    const prefix = sharesOf(this.teacher);
    const found: string[] = [];
    for await (const { key } of this.state.list(prefix)) found.push(key.slice(prefix.length));
    if (found.length === 0) return;
    // Read after the list: whoever has a share is in the ledger before.
    const holders = await this.holders();
    for (const holder of found) if (holders[holder] === undefined) await this.#removeShare(holder);
  }

  /** Resolves when this process changes the ledger next. */
  changed(): Promise<void> {
    return new Promise((resolve) => this.#onChanged.push(resolve));
  }

  /** Enters the holder, or shows that it lives. @throws ClaimLostError where others took it for dead */
  #enter(record: LedgerRecord, holder: string): void {
    const holders = (record.holders ??= {});
    const joined = this.#joined.get(holder);
    const beat = holders[holder];
    if (this.#lost.has(holder) || (beat === undefined ? joined : beat < 0)) {
      this.#joined.delete(holder);
      this.#lost.add(holder);
      throw new ClaimLostError(holder, this.teacher);
    }
    // Others that saw an earlier sign would take the same one for that of a process that stands still.
    holders[holder] ??= (this.#beats.get(holder) ?? -1) + 1;
    if (!joined) this.#entering.push(holder);
  }

  #noteBeat(holder: string, beat = -1): void {
    if (beat > (this.#beats.get(holder) ?? -1)) this.#beats.set(holder, beat);
  }

  #showLife(record: LedgerRecord, holder: string): void {
    this.#enter(record, holder);
    record.holders![holder]!++;
  }

  /** Shows life while a task needs it, and takes the holder out some time after. */
  #beat(): void {
    if (!this.options || this.#beating) return;
    const { clock, leaseMs } = this.options;
    const stop = (this.#beating = new AbortController());
    void (async () => {
      while (this.#joined.size > 0) {
        await clock.sleep(leaseMs / BEATS_PER_LEASE, stop.signal);
        for (const [holder, { tasks }] of [...this.#joined]) {
          if (tasks > 0) await this.#change((record) => this.#showLife(record, holder)).catch(() => undefined);
          else {
            this.#joined.delete(holder);
            await this.bury(holder).catch(() => undefined);
          }
        }
      }
    })()
      .catch(() => undefined)
      .finally(() => {
        this.#beating = undefined;
        if (this.#joined.size > 0 && !stop.signal.aborted) this.#beat();
      });
  }

  #warn(record: LedgerRecord, run: string, budget: Budget): void {
    if (this.options?.onWarning) this.#warnings.push(...this.#allowance.warnings(record, run, budget));
  }

  /** By what stands there at that moment: the process may have come back since it was found gone. */
  async #removeShare(holder: string): Promise<void> {
    await this.#shares.remove(holder, () => this.#change(({ open }) => ({ ...open })));
    if (!this.#isOwn(holder)) this.#shares.forgetHolder(holder);
  }

  #giveBack(record: LedgerRecord, chunkId: string, used: Used): void {
    const chunk = record.open[chunkId];
    if (!chunk) return;
    delete record.open[chunkId];
    this.#allowance.spend(record, chunk, used);
  }

  #isOwn(holder: string): boolean {
    return this.#joined.has(holder) || this.#chunks?.has(holder) === true;
  }

  /** From now on the record is changed by those who recover its calls. */
  #seal(record: ShareRecord, holder: string): void {
    if (!this.#isOwn(holder)) record.sealed = true;
  }

  /** @returns a part of the budget for so many calls like this one; undefined where too little is left of it */
  #grantChunk(request: ReserveRequest, chunkId: string, wantedCalls: number): Promise<ChunkGrant | undefined> {
    const { run, phase, unit, holder, budget } = request;
    return this.#change((record) => {
      const left = this.#allowance.left(record, run, budget);
      const peers = Math.max(1, Object.keys(record.holders ?? {}).length);
      const calls = Math.min(wantedCalls, Math.floor((left.images * CHUNK_PART) / peers / request.images));
      const images = calls * request.images;
      const free = Math.min(images, left.freeLeft);
      const { perImageMicros, perCallMicros } = this.price;
      const moneyMicros = (images - free) * perImageMicros + calls * perCallMicros;
      if (calls < 2 || moneyMicros > (left.moneyMicros * CHUNK_PART) / peers) return undefined;
      this.#enter(record, holder);
      record.runs[run] ??= {};
      const grant = { images, moneyMicros, free };
      record.open[chunkId] = { run, phase, unit, ...grant, state: 'reserved', holder, isChunk: true };
      this.#warn(record, run, budget);
      return grant;
    }, run);
  }

  /** Puts calls and usage in the place of chunks. */
  #withShares(shared: LedgerRecord, shares: ReadonlyMap<string, ShareRecord>): LedgerRecord {
    const holders = new Map<string, string>();
    for (const [chunkId, entry] of Object.entries(shared.open)) {
      const chunk = entry.isChunk && shares.get(entry.holder)?.chunks[chunkId];
      if (!chunk) continue;
      Object.assign(entry, leftOf(chunk));
      this.#allowance.spend(shared, chunk, chunk.used);
      for (const [callId, call] of Object.entries(chunk.open)) {
        shared.open[callId] = call;
        holders.set(callId, call.holder);
      }
    }
    this.#shares.noteOthers(holders);
    return shared;
  }

  async #soonerOrLater<T>(apply: (record: LedgerRecord) => T): Promise<T> {
    try {
      return await this.#change(apply);
    } catch (error) {
      this.#owed.push(apply);
      throw error;
    }
  }

  #change<T>(apply: (record: LedgerRecord) => T, run?: string): Promise<T> {
    return this.#changes.submit({ run, apply }) as Promise<T>;
  }

  async #commit(changes: readonly Change[]): Promise<Outcome[]> {
    for (let conflicts = 0; ; conflicts++) {
      try {
        if (conflicts > 0) await this.#backOff(conflicts);
        else if (this.#isContended) await this.#look();
        const { value, bytes, revision } = (this.#record ??= await this.#load());
        this.#lastSeen = value;
        const beganMs = this.options?.clock.monotonicMs() ?? 0;
        this.#warnings = [];
        this.#entering = [];
        await this.#recall(value, changes);
        const owed = this.#owed.length;
        for (const apply of this.#owed) apply(value);
        const outcomes = changes.map(({ apply }) => outcomeOf(() => apply(value)));
        const alive = [...this.#joined].filter(([holder]) => (value.holders?.[holder] ?? -1) >= 0);
        if (Buffer.compare(bytes, encodeJson(value)) !== 0) for (const [holder] of alive) value.holders![holder]!++;
        if (Object.keys(value.runs).length > MAX_RUNS_IN_LEDGER) await this.#archive(value);
        const after = encodeJson(value);
        const changed = Buffer.compare(bytes, after) !== 0;
        if (changed) {
          const key = keyOf(this.teacher);
          const written =
            revision === undefined
              ? await this.state.create(key, after)
              : await this.state.update(key, after, revision);
          this.#record = { value, bytes: after, revision: written };
          this.#owed.splice(0, owed);
          for (const [, joined] of alive) joined.aliveAtMs = beganMs;
          for (const { run, spent, budget } of this.#warnings) this.options?.onWarning?.(run, spent, budget);
        } else if (!(await this.#isCurrent(revision))) {
          this.#record = undefined;
          continue;
        }
        for (const holder of this.#entering) {
          if (!this.#joined.has(holder)) this.#joined.set(holder, { tasks: 0, aliveAtMs: beganMs });
        }
        // Only true changes: a refused reservation must not wake itself.
        if (changed) this.#announce();
        return outcomes;
      } catch (error) {
        this.#record = undefined;
        if (error instanceof RevisionMismatchError || error instanceof KeyExistsError) {
          this.#isContended = true;
          this.#chunks?.noteConflict();
          continue;
        }
        // Fails closed: a store that can't be reached grants nothing.
        throw asBbdError(error);
      }
    }
  }

  /** Replicas that write at the same moment would be in each other's way again and again. */
  async #backOff(conflicts: number): Promise<void> {
    const { clock, random } = this.options ?? {};
    if (clock && random) await clock.sleep(random.between(0, Math.min(MAX_CONFLICT_BACKOFF_MS, 2 ** conflicts)));
  }

  async #look(): Promise<void> {
    const before = this.#record;
    const found = await this.#load();
    this.#isContended = found.revision !== before?.revision;
    if (this.#isContended) this.#record = found;
  }

  async #load(): Promise<Loaded> {
    const entry = await this.state.get(keyOf(this.teacher));
    const bytes = entry?.value ?? encodeJson({ schema: 1, runs: {}, open: {} } satisfies LedgerRecord);
    return { value: decodeJson<LedgerRecord>(bytes), bytes, revision: entry?.revision };
  }

  /** Brings back what archived runs have spent, before anything is decided about them. */
  async #recall(record: LedgerRecord, changes: readonly Change[]): Promise<void> {
    for (const { run } of changes) {
      if (run === undefined || record.runs[run]) continue;
      // Read after the record: an archive is written before its run leaves the record.
      const archived = await this.state.get(archiveOf(this.teacher, run));
      if (archived) record.runs[run] = decodeJson<RunUsage>(archived.value);
    }
  }

  /** Moves the longest unused runs into records of their own; they leave this one by the write that follows. */
  async #archive(record: LedgerRecord): Promise<void> {
    const open = new Set(Object.values(record.open).map(({ run }) => run));
    const idle = Object.keys(record.runs).filter((run) => !open.has(run));
    for (const run of idle.slice(0, Object.keys(record.runs).length - MAX_RUNS_IN_LEDGER / 2)) {
      const key = archiveOf(this.teacher, run);
      const usage = record.runs[run]!;
      const found = await this.state.get(key);
      // Where this process stood still since it read the ledger, the archive is the newer one.
      if (found) {
        await this.state.update(key, encodeJson(latestOf(usage, decodeJson<RunUsage>(found.value))), found.revision);
      } else await this.state.create(key, encodeJson(usage));
      delete record.runs[run];
    }
  }

  /** A batch that changed nothing (a refusal, a reading) must still have seen the newest record. */
  async #isCurrent(revision: number | undefined): Promise<boolean> {
    return (await this.state.get(keyOf(this.teacher)))?.revision === revision;
  }

  #announce(): void {
    const waiting = this.#onChanged;
    this.#onChanged = [];
    for (const resolve of waiting) resolve();
  }
}

const keyOf = (teacher: string) => `ledger/${teacher}`;
const archiveOf = (teacher: string, run: string) => `ledger-runs/${teacher}/${run}`;
