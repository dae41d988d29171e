import { randomUUID } from 'node:crypto';
import { RandomStream, asBbdError, redactSecrets, silentLogger, systemClock } from '@bbdistill/common';
import type { AnswerBatch, Clock, ImageBatch, Logger, ProcessMarks, StateStore } from '@bbdistill/common';
import {
  TeacherProxy,
  answerKeys,
  describeForm,
  imagesPerCallWithin,
  normaliseAnswer,
  openTeacher,
} from '@bbdistill/teacher-proxy';
import type {
  AnswerCache,
  AnswerForm,
  CanonicalRequests,
  Environment,
  LimitHint,
  QueryOutcome,
  RawAnswer,
  Teacher,
  TeacherConfig,
  TeacherFacts,
} from '@bbdistill/teacher-proxy';
import { selectImages } from '../images/index.js';

/** The account of all checks in the ledger: what they cost shows in `usage`. */
export const CHECK_RUN = 'teacher-check';

export interface CheckOptions {
  /** Where the ledger lies, and what was paid for before. */
  state: StateStore;
  cache: AnswerCache;
  marks: ProcessMarks | undefined;
  env: Environment;
  signal: AbortSignal;
  /** What to ask about, once it is known which shape the teacher takes. */
  images: (facts: TeacherFacts) => Promise<ImageBatch>;
  /** Length that answers must have; default: what the teacher says, else what `answer.labels` says. */
  classes?: number;
  /** Told before anything is asked that may cost. */
  onPlan?: (plan: CheckPlan) => void;
  clock?: Clock;
  logger?: Logger;
}

/** What a check will ask at most. */
export interface CheckPlan {
  images: number;
  /** Of them, answered before: they cost nothing. */
  cached: number;
  calls: number;
  /** Ceiling in millionths of the teacher's currency, free tier aside. */
  costMicros: number;
}

/** What a probe of a teacher found out. */
export interface TeacherCheck {
  name: string;
  facts: TeacherFacts;
  /** How answers are read, e.g. `probabilities`. */
  kind: string;
  /** The rules by which answers become targets, in words. */
  form: string;
  classes?: number;
  /** Class of each label of the teacher as declared; null: outside the student's set. */
  labels?: Record<string, number | null>;
  cacheIdentity: string;
  limits: {
    declared: TeacherConfig['limits'];
    /** From the headers of its answers. */
    learnt: readonly LimitHint[];
    retryAfterMs?: number;
  };
  price: TeacherConfig['price'];
  /** Images that were asked now; each may be billed. */
  asked: number;
  /** Images that were answered before and cost nothing now. */
  cached: number;
  /** One per call. */
  latenciesMs: number[];
  /** One per image, likeliest class first. */
  answers: CheckedAnswer[];
  /** Names that it gave and the settings don't have, the most likely ones first: misspelt there, or no class here. */
  foreignLabels: string[];
  /** Why the teacher can't be used as configured; absent where all is well. */
  problem?: string;
}

export interface CheckedAnswer {
  /** As the teacher said it; absent where it didn't. */
  raw?: number[] | string;
  /** What it became. */
  target?: number[];
  abstained?: string;
  /** Whether that is because all it names are labels that are no class here. */
  isMisnamed?: boolean;
  /** Parts of the mass 1 that were filled in, or left out. */
  completed?: number;
  dropped?: number;
  problem?: string;
}

/**
 * Asks a teacher what it says of itself, then about a few images on the very way that a run takes: by its limits, in the
 * ledger (run {@link CHECK_RUN}), and with every answer kept, so that neither a second check nor a run pays it again.
 * After a call that fails no other one starts.
 * @returns what was found out, with the images and what became of the answers for those who draw them
 * @throws ConfigError where the teacher can't be opened at all; CancelledError when the signal aborts
 */
export async function checkTeacher(
  config: TeacherConfig,
  options: CheckOptions,
): Promise<{ check: TeacherCheck; images?: ImageBatch; answers?: AnswerBatch }> {
  const { state, cache, marks, env, signal, clock = systemClock, logger = silentLogger } = options;
  const failed = new AbortController();
  let watched: WatchedTeacher | undefined;
  const proxy = new TeacherProxy({
    state,
    cache,
    clock,
    env,
    logger,
    random: new RandomStream(1, CHECK_RUN),
    holder: randomUUID(),
    soleUser: true,
    marks,
    open: async (...wanted) =>
      (watched = new WatchedTeacher(await openTeacher(...wanted), clock, () => failed.abort())),
  });
  try {
    await proxy.registry.register(config);
    await proxy.recover();
    const kind = await proxy.answerKind(config.name);
    const teacher = watched!;
    const { facts, cacheIdentity } = await proxy.describe(config.name);
    const { labels } = config.answer;
    const classes = options.classes ?? facts.classes ?? (labels && highestClass(labels) + 1);
    const check: TeacherCheck = {
      name: config.name,
      facts,
      kind,
      form: describeForm(teacher.answer),
      ...(classes !== undefined && { classes }),
      ...(labels && { labels }),
      cacheIdentity,
      limits: { declared: config.limits, learnt: [] },
      price: config.price,
      asked: 0,
      cached: 0,
      latenciesMs: [],
      answers: [],
      foreignLabels: [],
    };
    if (!facts.ready) return { check: { ...check, problem: `it is not ready: ${facts.detail}` } };
    if (classes === undefined) {
      const problem = 'neither it nor its settings say how many classes there are: say it, by --classes or run.classes';
      return { check: { ...check, problem } };
    }
    const images = await options.images(facts);
    const requests = teacher.canonicalRequests(images);
    const keys = answerKeys(requests, images.count, cacheIdentity);
    const before = await cache.getMany(keys);
    check.cached = before.filter((entry) => entry !== undefined).length;
    options.onPlan?.(planOf(config, images.count, check.cached, requests.bytesPerImage));
    const fresh = selectImages(
      images,
      before.flatMap((entry, index) => (entry ? [] : [index])),
    );
    let problem: string | undefined;
    if (fresh.count > 0) {
      const task = { run: CHECK_RUN, phase: 'evaluation' as const, budget: {}, classes, images: fresh };
      try {
        await proxy.label(config.name, task, { signal: AbortSignal.any([signal, failed.signal]) });
      } catch (thrown) {
        if (signal.aborted) throw thrown;
        problem = teacher.complaint ?? asBbdError(thrown).message;
      }
    }
    check.asked = teacher.asked;
    check.latenciesMs = teacher.latenciesMs;
    check.limits.learnt = teacher.hints;
    if (teacher.retryAfterMs !== undefined) check.limits.retryAfterMs = teacher.retryAfterMs;
    const found = await cache.getMany(keys);
    check.answers = found.map((entry) => readAnswer(entry?.raw, classes, teacher.answer));
    check.foreignLabels = foreignLabels(
      found.flatMap((entry) => entry?.raw ?? []),
      teacher.answer,
    );
    problem ??= teacher.complaint ?? check.answers.find((answer) => answer.problem !== undefined)?.problem;
    problem ??= misnamed(check.answers);
    problem ??= found.includes(undefined) ? 'it answered only a part of the images' : undefined;
    if (problem !== undefined) check.problem = problem;
    const { answers } = await proxy.lookUp(config.name, images, classes);
    return { check, images, answers };
  } finally {
    await proxy.close();
  }
}

/** What a teacher says on the way, beside the answers that are kept. */
class WatchedTeacher implements Teacher {
  asked = 0;
  readonly latenciesMs: number[] = [];
  /** The latest of each source. */
  readonly #hints = new Map<string, LimitHint>();
  retryAfterMs: number | undefined;
  /** Why the first call without an answer had none. */
  complaint: string | undefined;

  constructor(
    private readonly teacher: Teacher,
    private readonly clock: Clock,
    private readonly onFailure: () => void,
  ) {}

  get cacheIdentity(): string {
    return this.teacher.cacheIdentity;
  }

  get answer(): AnswerForm {
    return this.teacher.answer;
  }

  get hints(): readonly LimitHint[] {
    return [...this.#hints.values()];
  }

  describe(signal: AbortSignal): Promise<TeacherFacts> {
    return this.teacher.describe(signal);
  }

  canonicalRequests(images: ImageBatch): CanonicalRequests {
    return this.teacher.canonicalRequests(images);
  }

  async query(images: ImageBatch, signal: AbortSignal): Promise<QueryOutcome> {
    const startedMs = this.clock.monotonicMs();
    const outcome = await this.teacher.query(images, signal);
    this.asked += images.count;
    this.latenciesMs.push(this.clock.monotonicMs() - startedMs);
    for (const hint of ('limits' in outcome && outcome.limits) || []) this.#hints.set(hint.source, hint);
    if ('retryAfterMs' in outcome) this.retryAfterMs = outcome.retryAfterMs;
    if (outcome.kind === 'answered') {
      const unanswered = outcome.answers.find((answer) => !answer.ok);
      if (unanswered?.ok === false) {
        this.complaint ??= `${unanswered.code}: ${unanswered.message}`;
        this.onFailure();
      }
    } else {
      this.complaint ??= `${outcome.kind}: ${outcome.message}`;
      this.onFailure();
    }
    return outcome;
  }

  close(): Promise<void> {
    return this.teacher.close();
  }
}

function planOf(config: TeacherConfig, images: number, cached: number, bytesPerImage: number): CheckPlan {
  const { perCallMicros, perImageMicros } = config.price;
  const fresh = images - cached;
  const calls = Math.ceil(fresh / imagesPerCallWithin(config.limits, bytesPerImage, perCallMicros > 0));
  return { images, cached, calls, costMicros: fresh * perImageMicros + calls * perCallMicros };
}

/** What the teacher said of one image, and what it becomes. */
function readAnswer(raw: RawAnswer | undefined, classes: number, form: AnswerForm): CheckedAnswer {
  if (raw === undefined) return {};
  const said = { raw: typeof raw === 'string' ? redactSecrets(raw) : Array.from(raw) };
  const target = new Float32Array(classes);
  const result = normaliseAnswer(raw, target, form);
  if (!result.ok) return { ...said, problem: redactSecrets(result.message) };
  if (result.kind === 'abstained') {
    return { ...said, abstained: redactSecrets(result.message), isMisnamed: result.why === 'outside' };
  }
  const { completed, dropped } = result;
  return { ...said, target: Array.from(target), completed, dropped };
}

function foreignLabels(answers: readonly RawAnswer[], { labels: known, abstain, readText }: AnswerForm): string[] {
  if (!known) return [];
  const scoreOf = new Map<string, number>();
  for (const raw of answers) {
    const said = typeof raw === 'string' ? readable(raw, readText) : undefined;
    if (said === undefined || said instanceof Float32Array) continue;
    said.labels.forEach((label, index) => {
      if (known.has(label) || abstain?.has(label)) return;
      scoreOf.set(label, Math.max(scoreOf.get(label) ?? 0, said.scores?.[index] ?? 1));
    });
  }
  return [...scoreOf].sort(([, a], [, b]) => b - a).map(([label]) => redactSecrets(label));
}

function readable(raw: string, read: AnswerForm['readText']) {
  try {
    return read?.(raw);
  } catch {
    return undefined;
  }
}

/**
 * What a run would fail on, kept answers or not: one answer of nothing but foreign labels may be right, but where no
 * other is of use, it is `answer.labels` that is wrong.
 */
function misnamed(answers: readonly CheckedAnswer[]): string | undefined {
  if (answers.some(({ target }) => target !== undefined)) return undefined;
  return answers.find(({ isMisnamed }) => isMisnamed)?.abstained;
}

function highestClass(labels: Readonly<Record<string, number | null>>): number {
  return Object.values(labels).reduce<number>((most, index) => Math.max(most, index ?? -1), -1);
}
