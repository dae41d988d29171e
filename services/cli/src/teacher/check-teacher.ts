import { asBbdError, describeShape, pixelsPerImage, systemClock } from '@bbdistill/common';
import type { Clock, ImageBatch, ImageShape } from '@bbdistill/common';
import { normaliseAnswer, openTeacher } from '@bbdistill/teacher-proxy';
import type { Environment, ImageAnswer, QueryOutcome, TeacherConfig, TeacherFacts } from '@bbdistill/teacher-proxy';

/** Shape of the probe where neither teacher nor settings name one. */
const FALLBACK_SHAPE: ImageShape = { height: 28, width: 28, channels: 1 };
const DESCRIBE_TIMEOUT_MS = 10_000;

/** What a probe of a teacher found out. */
export interface TeacherCheck {
  name: string;
  facts: TeacherFacts;
  /** How answers are read, e.g. `probabilities`. */
  kind: string;
  cacheIdentity: string;
  /** Images that were asked; each may be billed. */
  asked: number;
  /** Of the one call. */
  latencyMs?: number;
  /** One row per image. */
  answers: { values?: number[]; classes?: number; problem?: string }[];
  /** Why the teacher can't be used as configured; absent where all is well. */
  problem?: string;
}

/**
 * Asks a teacher what it says of itself, then asks about one black and one ramp image in one call. Nothing is stored.
 * @param classes length that answers must have; default: what the teacher says, else any
 * @throws ConfigError where the teacher can't be opened at all
 */
export async function checkTeacher(
  config: TeacherConfig,
  options: { env: Environment; signal: AbortSignal; classes?: number; clock?: Clock },
): Promise<TeacherCheck> {
  const { env, signal, clock = systemClock } = options;
  const teacher = await openTeacher(config, env, clock);
  try {
    const facts = await teacher.describe(AbortSignal.any([signal, AbortSignal.timeout(DESCRIBE_TIMEOUT_MS)]));
    const { kind } = teacher.answer;
    const about = { name: config.name, facts, kind, cacheIdentity: teacher.cacheIdentity };
    if (!facts.ready) return { ...about, asked: 0, answers: [], problem: `it is not ready: ${facts.detail}` };
    const images = probeImages(config, facts);
    const startedMs = clock.monotonicMs();
    const timeout = AbortSignal.timeout(config.limits.timeoutMs);
    let outcome: QueryOutcome;
    try {
      outcome = await teacher.query(images, AbortSignal.any([signal, timeout]));
    } catch (thrown) {
      return { ...about, asked: 0, answers: [], problem: asBbdError(thrown).message };
    }
    const latencyMs = clock.monotonicMs() - startedMs;
    if (outcome.kind !== 'answered') {
      const problem = `${describeShape(images.shape)} images: ${outcome.kind}: ${outcome.message}`;
      return { ...about, asked: images.count, latencyMs, answers: [], problem };
    }
    const classes = options.classes ?? facts.classes;
    const answers = outcome.answers.map((answer) => readAnswer(answer, teacher.answer, classes));
    const problem = answers.find((answer) => answer.problem !== undefined)?.problem;
    return { ...about, asked: images.count, latencyMs, answers, ...(problem !== undefined && { problem }) };
  } finally {
    await teacher.close();
  }
}

/** As many of black and ramp as the teacher takes in one call. */
function probeImages(config: TeacherConfig, facts: TeacherFacts): ImageBatch {
  const { size, channels } = config.input;
  const shape = facts.inputShape ?? {
    height: size?.[0] ?? FALLBACK_SHAPE.height,
    width: size?.[1] ?? FALLBACK_SHAPE.width,
    channels: channels ?? FALLBACK_SHAPE.channels,
  };
  const count = Math.min(2, config.limits.imagesPerCall);
  const pixels = pixelsPerImage(shape);
  return { count, shape, pixels: Uint8Array.from({ length: count * pixels }, (_, at) => (at < pixels ? 0 : at % 256)) };
}

function readAnswer(
  answer: ImageAnswer,
  form: Parameters<typeof normaliseAnswer>[2],
  classes: number | undefined,
): TeacherCheck['answers'][number] {
  if (!answer.ok) return { problem: `${answer.code}: ${answer.message}` };
  const isText = typeof answer.raw === 'string';
  const length = classes ?? (form.kind === 'hard-label' || isText ? undefined : answer.raw.length);
  const said = typeof answer.raw === 'string' ? [] : Array.from(answer.raw);
  if (length === undefined) return { values: said };
  const target = new Float32Array(length);
  const normalised = normaliseAnswer(answer.raw, target, form);
  if (!normalised.ok) return { values: said, problem: normalised.message };
  // Labels say little beside one another: what they became does.
  return { values: isText ? Array.from(target) : said, classes: length };
}
