import type { ImageBatch, ImageShape } from '@bbdistill/common';

/** How the teacher's raw numbers are to be read. */
export const ANSWER_KINDS = ['probabilities', 'logits', 'hard-label'] as const;
export type AnswerKind = (typeof ANSWER_KINDS)[number];

export interface AnswerForm {
  kind: AnswerKind;
  /** Divides logits before the softmax; 1 for the other kinds. */
  temperature: number;
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

/** One image's answer as the teacher gave it, or why there is none. */
export type ImageAnswer =
  | { ok: true; values: Float32Array }
  | {
      ok: false;
      /** Stable upper-case word, e.g. `ANSWER_UNREADABLE`. */
      code: string;
      message: string;
      /** Whether the teacher charges for it all the same. */
      charged: boolean;
    };

/**
 * What came of one call. The kinds differ in what is known about the bill:
 * - `answered`: the teacher worked, image by image.
 * - `throttled`, `unreachable`: the teacher did no work; safe to try again.
 * - `refused`: the teacher turned the request down and will do so again (bad request, no access).
 * - `failed`: the teacher tried and said that it failed (e.g. HTTP 500).
 * - `lost`: the request left and no answer came; whether it was billed can't be known.
 */
export type QueryOutcome =
  | { kind: 'answered'; answers: ImageAnswer[] }
  | { kind: 'throttled'; message: string; retryAfterMs?: number }
  | { kind: 'unreachable'; message: string; cause?: unknown }
  | { kind: 'refused'; code: string; message: string }
  | { kind: 'failed'; message: string; retryAfterMs?: number }
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
