import { RandomStream, hashOf, pixelsPerImage, systemClock } from '@bbdistill/common';
import type { Clock, ImageBatch } from '@bbdistill/common';
import { encodeInput } from '../input.js';
import type { InputForm } from '../input.js';
import type { AnswerForm, CanonicalRequests, QueryOutcome, Teacher, TeacherFacts } from '../teacher.js';

export interface FakeTeacherOptions {
  /** Default 10. */
  classes?: number;
  /** Another seed is another teacher. Default 1. */
  seed?: number;
  /** Default: of classes and seed. */
  cacheIdentity?: string;
  /** Of every call. Default 0. */
  latencyMs?: number;
  /** Every n-th call fails; default 0 = none. */
  failEvery?: number;
  /** What a call comes to instead of an answer, where it returns something. Calls count from 1. */
  outcomeOf?: (call: number, images: ImageBatch) => QueryOutcome | undefined;
  clock?: Clock;
}

/** Makes the answers of the fake clear-cut: most of the mass on one class, as a trained teacher's. */
const SHARPNESS = 8;

const INPUT: InputForm = { layout: 'NHWC', datatype: 'UINT8', scale: 1, mean: [0], std: [1] };

/**
 * A teacher for tests: the softmax of a seeded random projection of the pixels. Smooth, so that a student can learn
 * it, and the same on every machine. Counts what it is asked.
 */
export class FakeTeacher implements Teacher {
  readonly cacheIdentity: string;
  readonly answer: AnswerForm = { kind: 'probabilities', temperature: 1 };
  /** Calls and images so far, failures included. */
  readonly asked = { calls: 0, images: 0 };
  readonly #classes: number;
  readonly #seed: number;
  readonly #projections = new Map<number, Float32Array[]>();

  constructor(private readonly options: FakeTeacherOptions = {}) {
    this.#classes = options.classes ?? 10;
    this.#seed = options.seed ?? 1;
    this.cacheIdentity = options.cacheIdentity ?? hashOf({ adapter: 'fake', classes: this.#classes, seed: this.#seed });
  }

  async describe(): Promise<TeacherFacts> {
    return { adapter: 'fake', endpoint: 'fake', classes: this.#classes, ready: true, detail: '' };
  }

  canonicalRequests(images: ImageBatch): CanonicalRequests {
    const { dims, bytes, bytesPerImage } = encodeInput(INPUT, images);
    return { header: JSON.stringify({ shape: dims.slice(1) }), bytes, bytesPerImage };
  }

  async query(images: ImageBatch, signal: AbortSignal): Promise<QueryOutcome> {
    const call = ++this.asked.calls;
    this.asked.images += images.count;
    const { latencyMs = 0, failEvery = 0, outcomeOf, clock = systemClock } = this.options;
    try {
      if (latencyMs > 0) await clock.sleep(latencyMs, signal);
    } catch (cause) {
      return { kind: 'lost', message: 'the fake teacher was too slow', cause };
    }
    const injected = outcomeOf?.(call, images);
    if (injected) return injected;
    if (failEvery > 0 && call % failEvery === 0)
      return { kind: 'failed', message: `the fake teacher fails call ${call}` };
    const size = pixelsPerImage(images.shape);
    const answers = Array.from({ length: images.count }, (_, image) => ({
      ok: true as const,
      raw: this.#answer(images.pixels.subarray(image * size, (image + 1) * size)),
    }));
    return { kind: 'answered', answers };
  }

  async close(): Promise<void> {
    this.#projections.clear();
  }

  #answer(pixels: Uint8Array): Float32Array {
    const projection = this.#projectionOf(pixels.length);
    const scale = SHARPNESS / Math.sqrt(pixels.length);
    const logits = projection.map((weights) => {
      let sum = 0;
      for (let at = 0; at < pixels.length; at++) sum += weights[at]! * (pixels[at]! / 255 - 0.5);
      return sum * scale;
    });
    const highest = Math.max(...logits);
    const exponentials = logits.map((logit) => Math.exp(logit - highest));
    const total = exponentials.reduce((sum, value) => sum + value, 0);
    return Float32Array.from(exponentials, (value) => value / total);
  }

  #projectionOf(size: number): Float32Array[] {
    let projection = this.#projections.get(size);
    if (!projection) {
      projection = Array.from({ length: this.#classes }, (_, index) => {
        const random = new RandomStream(this.#seed, 'fake-teacher', index);
        return Float32Array.from({ length: size }, () => random.normal());
      });
      this.#projections.set(size, projection);
    }
    return projection;
  }
}
