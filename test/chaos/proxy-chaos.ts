import { setTimeout as delay } from 'node:timers/promises';
import { RandomStream, openNatsStores, systemClock } from '@bbdistill/common';
import type { StateStore } from '@bbdistill/common';
import { Ledger, parseTeacherConfig } from '@bbdistill/teacher-proxy';
import { startMeteredTeacher } from '../helpers/metered-teacher.js';
import type { MeteredTeacher } from '../helpers/metered-teacher.js';
import { DURABLE_NATS, startNatsServer } from '../helpers/nats-server.js';
import { Replica, labelShard } from '../helpers/proxy-replicas.js';
import { waitFor } from '../helpers/wait-for.js';
import { closeBooks } from './proxy-books.js';
import type { Books, Fault } from './proxy-books.js';

/** How the work is cut, and how slow the teacher is. */
export interface ProxyLoad {
  imagesPerShard: number;
  imagesPerCall: number;
  /** Shards that each replica labels at once. */
  shardsPerReplica: number;
  /** Of the teacher; also what keeps the run alive until the last fault. */
  imagesPerSecond: number;
  latencyMs: number;
  timeoutMs: number;
  /** Calls that all replicas together have open; default 16. */
  concurrency?: number;
  /** A fault waits until the teacher has so many images open, over all replicas; default 1. */
  openAtFault?: number;
  /** How long a worker waits where a larger part of the images than of the faults is over; default 0. */
  aheadPauseMs?: number;
}

export interface ProxyChaosOptions {
  folder: string;
  replicas: number;
  seed: number;
  /** How long a replica is frozen or cut off, ms. */
  awayMs: [number, number];
  load: ProxyLoad;
  say?: (line: string) => void;
}

export interface ProxyWork {
  run: string;
  /** Of the first image: no two works have an image in common. */
  start: number;
  images: number;
  faults: number;
  budgetImages: number;
}

export interface ProxyChaosResult extends Books {
  faults: Record<string, number>;
  /** Faults that there were no images left for. */
  faultsLeft: number;
  /** Images that ended with an answer. */
  answered: number;
  /** Shards that ended for want of budget. */
  exhausted: number;
  turnedAway: number;
  /** Replicas that spent from chunks of the budget at once, at most, as seen at the faults. */
  chunkHolders: number;
  seconds: number;
}

const NAMESPACE = 'chaos';
const TEACHER = 'metered';
const FAILED_PART = 0.1;
/** For a ledger that is only read. */
const NO_PRICE = parseTeacherConfig(TEACHER, { adapter: 'fake' }).price;
const RECOVERY_TIMEOUT_MS = 120_000;
const PACE_POLL_MS = 200;
const KINDS = ['kill', 'freeze', 'cut'] as const;

interface Standing {
  faults: number;
  shards: number[];
  left: number;
  answered: number;
  exhausted: number;
  chunkHolders: number;
}

/** Replicas on one NATS and one teacher that fails a tenth of its calls, and what is done to them. */
export class ProxyChaos implements AsyncDisposable {
  readonly #random: RandomStream;
  /** Of all runs. */
  readonly #faults: Fault[] = [];

  private constructor(
    private readonly options: ProxyChaosOptions,
    private readonly nats: Awaited<ReturnType<typeof startNatsServer>>,
    private readonly teacher: MeteredTeacher,
    private readonly config: object,
    private readonly replicas: Replica[],
  ) {
    this.#random = new RandomStream(options.seed, 'proxy-chaos');
  }

  static async start(options: ProxyChaosOptions): Promise<ProxyChaos> {
    const { load, folder } = options;
    const nats = await startNatsServer(DURABLE_NATS);
    const teacher = await startMeteredTeacher({ latencyMs: load.latencyMs, failPart: FAILED_PART });
    const { imagesPerCall, imagesPerSecond, timeoutMs, concurrency = 16 } = load;
    const config = {
      adapter: 'open-inference-http',
      url: teacher.url,
      model: teacher.model,
      limits: { imagesPerCall, concurrency, imagesPerSecond, timeoutMs },
      price: { perImage: 0.001 },
    };
    const replicas = await Promise.all(
      Array.from({ length: options.replicas }, (_, n) =>
        Replica.start(`replica-${n}`, {
          natsPort: nats.port,
          namespace: NAMESPACE,
          folder,
          teacher: config,
          patienceMs: 3_000,
          logLevel: 'warn',
        }),
      ),
    );
    return new ProxyChaos(options, nats, teacher, config, replicas);
  }

  /**
   * One run over all replicas, which are killed, frozen and cut off from NATS one after the other. A fault waits until
   * the replica of the last one has labelled a shard that it was given when it was back.
   */
  async run(work: ProxyWork): Promise<ProxyChaosResult> {
    const beganMs = performance.now();
    const { imagesPerShard } = this.options.load;
    const shards: number[] = [];
    for (let at = 0; at < work.images; at += imagesPerShard) shards.push(work.start + at);
    const standing: Standing = { faults: 0, shards, left: shards.length, answered: 0, exhausted: 0, chunkHolders: 0 };
    const workers = this.replicas.flatMap((replica) =>
      Array.from({ length: this.options.load.shardsPerReplica }, () => this.#labelAll(replica, work, standing)),
    );
    const [faults] = await Promise.all([this.#strike(work, standing), ...workers]);
    const books = await this.#closeBooks(work);
    const { answered, exhausted, chunkHolders } = standing;
    return {
      faults,
      faultsLeft: work.faults - Object.values(faults).reduce((sum, count) => sum + count, 0),
      answered,
      exhausted,
      turnedAway: (await this.teacher.summary()).turnedAway.length,
      chunkHolders,
      ...books,
      seconds: Math.round((performance.now() - beganMs) / 1000),
    };
  }

  /** Labels shards by one replica as long as there are any. */
  async #labelAll(replica: Replica, work: ProxyWork, standing: Standing): Promise<void> {
    while (standing.left > 0) {
      await this.#pace(work, standing);
      if (standing.shards.length === 0) await delay(100);
      else if (!(await this.#labelNext(replica, work, standing))) await delay(200);
    }
  }

  async #pace(work: ProxyWork, standing: Standing): Promise<void> {
    const shards = Math.ceil(work.images / this.options.load.imagesPerShard);
    const isAhead = () =>
      standing.faults < work.faults && 1 - standing.left / shards > (standing.faults + 1) / (work.faults + 1);
    const untilMs = performance.now() + (this.options.load.aheadPauseMs ?? 0);
    while (isAhead() && performance.now() < untilMs) await delay(PACE_POLL_MS);
  }

  /** Labels the next shard; where that fails it is taken up again by whoever is free. @returns whether it has an end */
  async #labelNext(replica: Replica, work: ProxyWork, standing: Standing): Promise<boolean> {
    const { run, budgetImages } = work;
    const start = standing.shards.shift();
    if (start === undefined) return standing.left === 0;
    const count = Math.min(this.options.load.imagesPerShard, work.start + work.images - start);
    try {
      const answered = await labelShard(replica, { run, start, count, budgetImages });
      if (answered < count) throw new Error(`${count - answered} images stayed without an answer`);
      standing.answered += answered;
    } catch (error) {
      if ((error as { code?: string }).code !== 'BUDGET_EXHAUSTED') {
        standing.shards.push(start);
        return false;
      }
      standing.exhausted++;
    }
    standing.left--;
    return true;
  }

  /** @returns how many faults there were of each kind */
  async #strike(work: ProxyWork, standing: Standing): Promise<Record<string, number>> {
    const { say = () => undefined, load } = this.options;
    const { openAtFault = 1 } = load;
    const faults: Record<string, number> = {};
    const isOver = () => standing.left === 0;
    for (let fault = 0; fault < work.faults; fault++) {
      standing.chunkHolders = Math.max(standing.chunkHolders, await this.#chunkHolders());
      const isUnderWay = async () => (await this.teacher.summary()).openImages >= openAtFault || isOver();
      await waitFor('calls under way', isUnderWay, RECOVERY_TIMEOUT_MS);
      if (isOver()) break;
      const index = this.#random.integer(this.replicas.length);
      const kind = KINDS[fault % KINDS.length]!;
      const beganMs = performance.now();
      const entry: Fault = { atMs: Date.now(), name: `${kind} of replica ${index}` };
      this.#faults.push(entry);
      faults[kind] = (faults[kind] ?? 0) + 1;
      await this.#inflict(kind, this.replicas[index]!, entry);
      const overMs = performance.now();
      const labelsAgain = () => this.#labelNext(this.replicas[index]!, work, standing);
      await waitFor(`replica ${index} to label again after ${kind}`, labelsAgain, RECOVERY_TIMEOUT_MS);
      standing.faults++;
      const seconds = [overMs - beganMs, performance.now() - overMs].map((ms) => (ms / 1000).toFixed(1));
      say(
        `fault ${fault + 1}: ${kind} of replica ${index} for ${seconds[0]} s, labels again after ${seconds[1]} s; ${standing.left} shards left`,
      );
    }
    return faults;
  }

  async #inflict(kind: (typeof KINDS)[number], replica: Replica, entry: Fault): Promise<void> {
    const awayMs = this.#random.between(...this.options.awayMs);
    if (kind === 'kill') {
      await replica.kill();
      await replica.start();
    } else if (kind === 'freeze') {
      replica.child.kill('SIGSTOP');
      await delay(awayMs);
      entry.thawedAtMs = Date.now();
      replica.child.kill('SIGCONT');
    } else {
      replica.relay.cut();
      await delay(awayMs);
      replica.relay.mend();
    }
  }

  async #closeBooks(work: ProxyWork): Promise<Books> {
    const config = parseTeacherConfig(TEACHER, this.config);
    const faults = this.#faults;
    const said = this.replicas.flatMap((replica) => replica.said);
    return this.#withState((state) => closeBooks({ state, config, meter: this.teacher, work, faults, said }));
  }

  async #chunkHolders(): Promise<number> {
    const { open } = await this.#withState((state) => new Ledger(state, TEACHER, NO_PRICE).read());
    return new Set(Object.values(open).flatMap(({ isChunk, holder }) => (isChunk ? [holder] : []))).size;
  }

  async #withState<T>(use: (state: StateStore) => Promise<T>): Promise<T> {
    const servers = [`nats://127.0.0.1:${this.nats.port}`];
    const stores = await openNatsStores({ servers, replicas: 1, clock: systemClock, namespace: NAMESPACE });
    try {
      return await use(stores.state);
    } finally {
      await stores.close();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.replicas.map((replica) => replica[Symbol.asyncDispose]()));
    await this.teacher[Symbol.asyncDispose]();
    await this.nats[Symbol.asyncDispose]();
  }
}
