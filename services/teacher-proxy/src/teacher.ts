import type { ImageBatch, ImageShape } from '@bbdistill/common';

/** How the teacher's raw answers are to be read; `normalise.ts` says what each becomes. */
export const ANSWER_KINDS = [
  'probabilities',
  'percent',
  'logits',
  'top-k',
  'thresholded',
  'sigmoids',
  'hard-label',
  'label-confidence',
] as const;
export type AnswerKind = (typeof ANSWER_KINDS)[number];

/** What becomes of the mass that a teacher's scores leave of 1. */
export const REST_CHOICES = ['spread', 'drop'] as const;
/** What becomes of labels that are no class of the student. */
export const OTHER_CHOICES = ['drop', 'spread', 'abstain'] as const;
/** How independent yes-or-no scores become one distribution. */
export const SIGMOID_CHOICES = ['odds', 'shares'] as const;

export interface AnswerForm {
  kind: AnswerKind;
  /** Divides logits before the softmax; 1 for the other kinds. */
  temperature: number;
  /** Scores go from 0 to 100. */
  percent?: boolean;
  /** Class of each label of the teacher, null: outside the student's set. Absent: labels are the classes' indices. */
  labels?: ReadonlyMap<string, number | null>;
  /** Labels by which the teacher says that it doesn't know. */
  abstain?: ReadonlySet<string>;
  /** Default `spread`. */
  rest?: (typeof REST_CHOICES)[number];
  /** Default `drop`. */
  other?: (typeof OTHER_CHOICES)[number];
  /** Default `odds`. */
  sigmoids?: (typeof SIGMOID_CHOICES)[number];
  /** Below it the teacher names no class (0..1). */
  threshold?: number;
  /** Labels and scores, or a row, of an answer that is text. @throws where it can't be read */
  readText?: (text: string) => NamedScores | Float32Array;
}

/** Labels as the teacher names them, each with its score. An index of a row is a label as well. */
export interface NamedScores {
  labels: readonly string[];
  /** One per label; absent where the teacher gives none. */
  scores?: readonly number[];
}

/** What is known of a teacher without asking it anything that costs. */
export interface TeacherFacts {
  adapter: string;
  /** Where it is, without credentials. */
  endpoint: string;
  /** Length of an answer; absent where the teacher doesn't say. */
  classes?: number;
  /** Absent where any shape is taken or nothing is known. */
  inputShape?: ImageShape;
  ready: boolean;
  /** Why it isn't ready, or what was found out about it. */
  detail: string;
}

/**
 * What the teacher said about one image, as it said it; this is what is cached. Numbers: a row of scores, or the index
 * of a class. Text: the image's part of a JSON answer, read by `normalise.ts` as the answer's form says.
 */
export type RawAnswer = Float32Array | string;

/** One image's answer as the teacher gave it, or why there is none. */
export type ImageAnswer =
  | { ok: true; raw: RawAnswer }
  | {
      ok: false;
      /** Stable upper-case word, e.g. `ANSWER_UNREADABLE`. */
      code: string;
      message: string;
      /** Whether the teacher charges for it all the same. */
      charged: boolean;
      /** Whether asking about this image once more may help; default false. */
      retryable?: boolean;
    };

/** What a teacher says of its limits beside an answer. A hint: the operator's own limits still hold. */
export interface LimitHint {
  /** Where it was read, e.g. `RateLimit "burst"` or `X-RateLimit-Requests`. */
  source: string;
  unit: 'calls' | 'images' | 'bytes' | 'concurrent-calls' | 'unknown';
  /** Units allowed in a window. */
  limit?: number;
  windowMs?: number;
  /** Units that are left; with 0, nothing is to be sent before `resetMs`. */
  remaining?: number;
  /** From now until units are there again. */
  resetMs?: number;
}

/** Codes of refusals that settings or an operator have to mend; work that waits is kept. */
export const TEACHER_AUTH = 'TEACHER_AUTH';
export const TEACHER_TLS = 'TEACHER_TLS';
/** A call of more bytes or images than the teacher takes. */
export const TEACHER_TOO_LARGE = 'TEACHER_TOO_LARGE';

/**
 * - `rate`: the limit of calls or images is reached.
 * - `quota`: a longer quota (day, month, account) is used up.
 * - `loading`: the model isn't in memory yet.
 * - `overloaded`: the server has too much to do.
 */
export type ThrottleReason = 'rate' | 'quota' | 'loading' | 'overloaded';

/**
 * What came of one call. The kinds differ in what is known about the bill:
 * - `answered`: the teacher worked, image by image.
 * - `throttled`, `unreachable`: the teacher did no work; safe to try again.
 * - `refused`: the teacher turned the request down and will do so again (bad request, no access).
 * - `failed`: the teacher tried and said that it failed (e.g. HTTP 500).
 * - `lost`: the request left and no answer came; whether it was billed can't be known.
 */
export type QueryOutcome =
  | { kind: 'answered'; answers: ImageAnswer[]; limits?: readonly LimitHint[] }
  | {
      kind: 'throttled';
      reason: ThrottleReason;
      message: string;
      /** From now; a floor for everyone who asks this teacher. */
      retryAfterMs?: number;
      limits?: readonly LimitHint[];
    }
  | { kind: 'unreachable'; message: string; cause?: unknown }
  | {
      kind: 'refused';
      code: string;
      message: string;
      /** False: the request never left, so that nobody can charge for it. */
      sent?: false;
    }
  | { kind: 'failed'; message: string; retryAfterMs?: number; limits?: readonly LimitHint[] }
  | { kind: 'lost'; message: string; cause?: unknown };

/** The canonical request of every image of a batch: what the answer cache keys by. */
export interface CanonicalRequests {
  /** All that the images share: datatype, shape, model, output, parameters. */
  header: string;
  /** The bytes as sent, image after image. */
  bytes: Uint8Array;
  bytesPerImage: number;
}

/** A black box. It neither caches nor counts nor limits: `label.ts` does. */
export interface Teacher {
  /** What the cache keys answers by, besides the request. */
  readonly cacheIdentity: string;
  readonly answer: AnswerForm;
  /** Spends nothing and never throws: a teacher that is down is not `ready`. */
  describe(signal: AbortSignal): Promise<TeacherFacts>;
  /** @throws InvalidArgumentError where the teacher can't take images of this shape */
  canonicalRequests(images: ImageBatch): CanonicalRequests;
  /**
   * Asks about the images in one call. Failures are outcomes; only a bug throws.
   * @param signal ends a call that takes too long; the outcome is then `lost`
   */
  query(images: ImageBatch, signal: AbortSignal): Promise<QueryOutcome>;
  close(): Promise<void>;
}
