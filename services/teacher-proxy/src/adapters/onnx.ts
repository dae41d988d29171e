import { readFile } from 'node:fs/promises';
import { ConfigError, asBbdError, describeShape, sha256Hex } from '@bbdistill/common';
import type { ImageBatch, ImageShape } from '@bbdistill/common';
import * as ort from 'onnxruntime-node';
import { answerContradictions, answerForm } from '../answer-config.js';
import { fromHalf } from '../half.js';
import { encodeInput, inputShape } from '../input.js';
import type { EncodedImages, InputForm, Layout } from '../input.js';
import { NEGATIVE_TOLERANCE, PROBABILITY_SUM_TOLERANCE } from '../normalise.js';
import type { TeacherConfig } from '../registry.js';
import type { AnswerForm, AnswerKind, CanonicalRequests, QueryOutcome, Teacher, TeacherFacts } from '../teacher.js';
import { canonicalInput, declaredInput } from './declared.js';
import { answerRows } from './rows.js';

const PROBE_SIZE = 32;
const DATATYPES: Record<string, InputForm['datatype']> = { float32: 'FP32', float16: 'FP16', uint8: 'UINT8' };
const ERROR_SEVERITY = 3;
const WHITE = 255;
const PERCENT = 100;
/** Black, white, half white, a ramp: the pixel at a place of `size`. */
const PROBE_IMAGES: readonly ((at: number, size: number) => number)[] = [
  () => 0,
  () => WHITE,
  (at, size) => (at < size / 2 ? WHITE : 0),
  (at) => at % (WHITE + 1),
];

/** A model file on this machine. Costs nothing but time; everything that isn't declared is read from the model. */
export class OnnxTeacher implements Teacher {
  private constructor(
    private readonly config: TeacherConfig,
    private readonly session: ort.InferenceSession,
    private readonly model: ModelFacts,
    readonly cacheIdentity: string,
    readonly answer: AnswerForm,
  ) {}

  /** @throws ConfigError where the file can't be read or the declaration doesn't fit the model */
  static async open(config: TeacherConfig): Promise<OnnxTeacher> {
    const path = config.path ?? '';
    const file = await readFile(path).catch((cause: unknown) => {
      throw new ConfigError(`teachers.${config.name}.path: ${path} can't be read (${asBbdError(cause).message})`, {
        code: 'TEACHER_FILE',
        cause,
      });
    });
    const session = await ort.InferenceSession.create(file, {
      // One thread: many calls may be under way, and the machine has other work.
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
      executionMode: 'sequential',
      // The arena keeps what the largest call ever took.
      enableCpuMemArena: false,
      enableMemPattern: false,
      logSeverityLevel: ERROR_SEVERITY,
    }).catch((cause: unknown) => {
      throw new ConfigError(`${path} is not a model that ONNX Runtime can load: ${asBbdError(cause).message}`, {
        code: 'TEACHER_FILE',
        cause,
      });
    });
    const model = readModel(config, session);
    const identity = config.cacheIdentity ?? `onnx|${sha256Hex(file)}`;
    const kind = config.answer.kind ?? (await probe(config, session, model));
    const faults = answerContradictions(config.answer, kind);
    if (faults.length > 0) {
      const named = faults.map(([setting, message]) => `teachers.${config.name}.answer.${setting} ${message}`);
      throw new ConfigError(`${named.join('\n')} (found by a probe of ${path}: declare answer.kind if it is another)`, {
        code: 'TEACHER_ANSWER_KIND',
      });
    }
    return new OnnxTeacher(config, session, model, identity, answerForm(config.answer, kind));
  }

  async describe(): Promise<TeacherFacts> {
    const { classes, shape } = this.model;
    return {
      adapter: 'onnx',
      endpoint: this.config.path ?? '',
      ready: true,
      detail: `input ${this.model.inputName}, output ${this.model.outputName} (${this.answer.kind})`,
      ...(classes !== undefined && this.answer.kind !== 'hard-label' && { classes }),
      ...(shape && { inputShape: shape }),
    };
  }

  canonicalRequests(images: ImageBatch): CanonicalRequests {
    return canonicalInput(this.config, this.#formFor(images.shape), images);
  }

  async query(images: ImageBatch): Promise<QueryOutcome> {
    const encoded = encodeInput(this.#formFor(images.shape), images);
    try {
      const { values, rowShape } = await run(this.session, this.model, encoded);
      return { kind: 'answered', answers: answerRows(values, images.count, [images.count, ...rowShape]) };
    } catch (cause) {
      return { kind: 'failed', message: `ONNX Runtime failed on the model: ${asBbdError(cause).message}` };
    }
  }

  async close(): Promise<void> {
    await this.session.release();
  }

  #formFor(images: ImageShape): InputForm {
    const { form, shape } = this.model;
    const shown = inputShape(form, images);
    if (shape && describeShape(shape) !== describeShape(shown)) {
      throw new ConfigError(
        `the model takes images of ${describeShape(shape)}, but would get ${describeShape(shown)}: ` +
          'set input.size and input.channels, or give other images',
        { code: 'TEACHER_SHAPE' },
      );
    }
    return form;
  }
}

interface ModelFacts {
  inputName: string;
  outputName: string;
  form: InputForm;
  /** Absent where the model takes any size. */
  shape?: ImageShape;
  classes?: number;
  /** The model takes exactly so many images at once; absent: any number. */
  fixedBatch?: number;
}

function readModel(config: TeacherConfig, session: ort.InferenceSession): ModelFacts {
  const input = named(session.inputMetadata, config.input.name, 'input.name', config);
  const output = named(session.outputMetadata, config.answer.output, 'answer.output', config);
  if (!input.isTensor || !output.isTensor) {
    throw new ConfigError(`${config.path}: input and output must be tensors`, { code: 'TEACHER_MODEL' });
  }
  const datatype = DATATYPES[input.type];
  if (!datatype || (config.input.datatype && config.input.datatype !== datatype)) {
    const wanted = config.input.datatype ?? 'FP32, FP16 or UINT8';
    throw new ConfigError(`${config.path}: input "${input.name}" is of type ${input.type}, not ${wanted}`, {
      code: 'TEACHER_MODEL',
    });
  }
  const dims = input.shape.map((size) => (typeof size === 'number' && size > 0 ? size : undefined));
  const layout = config.input.layout ?? layoutOf(dims);
  const [height, width, channels] = layout === 'NHWC' ? dims.slice(1) : [dims[2], dims[3], dims[1]];
  const classes = output.shape.length > 1 ? output.shape.at(-1) : undefined;
  return {
    inputName: input.name,
    outputName: output.name,
    form: declaredInput(config, { layout, datatype }),
    ...(dims.length === 4 && height && width && channels && { shape: { height, width, channels } }),
    ...(typeof classes === 'number' && classes > 0 && { classes }),
    ...(dims[0] !== undefined && { fixedBatch: dims[0] }),
  };
}

/** Channels are 1 or 3, and sizes hardly ever are: whichever end has them tells the order of the axes. */
function layoutOf(dims: readonly (number | undefined)[]): Layout {
  const isChannels = (size: number | undefined) => size === 1 || size === 3;
  return isChannels(dims[1]) && !isChannels(dims[3]) ? 'NCHW' : 'NHWC';
}

function named(
  tensors: readonly ort.InferenceSession.ValueMetadata[],
  name: string | undefined,
  key: string,
  config: TeacherConfig,
): ort.InferenceSession.ValueMetadata {
  const found =
    name === undefined && tensors.length === 1 ? tensors[0] : tensors.find((tensor) => tensor.name === name);
  if (found) return found;
  const names = tensors.map((tensor) => tensor.name).join(', ');
  const what = name === undefined ? 'is missing' : `"${name}" is not there`;
  throw new ConfigError(`teachers.${config.name}.${key} ${what}: the model has ${names}`, { code: 'TEACHER_MODEL' });
}

interface ModelOutput {
  values: Float32Array;
  /** Without the batch axis. */
  rowShape: readonly number[];
}

async function run(session: ort.InferenceSession, model: ModelFacts, encoded: EncodedImages): Promise<ModelOutput> {
  const step = model.fixedBatch ?? encoded.count;
  const parts: Float32Array[] = [];
  let rowShape: readonly number[] = [];
  for (let start = 0; start < encoded.count; start += step) {
    const images = Math.min(step, encoded.count - start);
    const bytes = new Uint8Array(step * encoded.bytesPerImage);
    bytes.set(encoded.bytes.subarray(start * encoded.bytesPerImage, (start + images) * encoded.bytesPerImage));
    const dims = [step, ...encoded.dims.slice(1)];
    const input = tensorOf(model.form.datatype, bytes, dims);
    const output = (await session.run({ [model.inputName]: input }, [model.outputName]))[model.outputName]!;
    if (output.dims[0] !== step) {
      throw new Error(`output "${model.outputName}" is [${output.dims.join(',')}] for ${step} images`);
    }
    const read = output.data instanceof Uint16Array && output.type === 'float16' ? fromHalf : Number;
    const values = Float32Array.from(output.data as ArrayLike<number>, read);
    rowShape = output.dims.slice(1);
    parts.push(values.subarray(0, (values.length / step) * images));
  }
  const values = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    values.set(part, at);
    at += part.length;
  }
  return { values, rowShape };
}

function tensorOf(datatype: InputForm['datatype'], bytes: Uint8Array, dims: readonly number[]): ort.Tensor {
  switch (datatype) {
    case 'FP32':
      return new ort.Tensor('float32', new Float32Array(bytes.buffer), dims);
    case 'FP16':
      return new ort.Tensor('float16', new Uint16Array(bytes.buffer), dims);
    case 'UINT8':
      return new ort.Tensor('uint8', bytes, dims);
  }
}

/**
 * Asks the model about four images, unlike enough that logits don't all lie where chances do: are its rows probabilities?
 * @throws ConfigError where they may be something else than probabilities or logits
 */
async function probe(config: TeacherConfig, session: ort.InferenceSession, model: ModelFacts): Promise<AnswerKind> {
  const shape = model.shape ?? {
    height: model.form.size?.height ?? PROBE_SIZE,
    width: model.form.size?.width ?? PROBE_SIZE,
    channels: model.form.channels ?? 1,
  };
  const size = shape.height * shape.width * shape.channels;
  const count = PROBE_IMAGES.length;
  const pixels = Uint8Array.from({ length: count * size }, (_, at) =>
    PROBE_IMAGES[Math.floor(at / size)]!(at % size, size),
  );
  const { values } = await run(session, model, encodeInput(model.form, { count, shape, pixels }));
  const length = values.length / count;
  if (length === 1) return 'hard-label';
  const rows = PROBE_IMAGES.map((_, image) => values.subarray(image * length, (image + 1) * length));
  const sumOf = (row: Float32Array) => row.reduce((sum, value) => sum + value, 0);
  const highest = 1 + PROBABILITY_SUM_TOLERANCE;
  const areWithin = (most: number) =>
    rows.every((row) => row.every((value) => value >= -NEGATIVE_TOLERANCE && value <= most * highest));
  const sumTo = (total: number) =>
    rows.every((row) => Math.abs(sumOf(row) - total) <= total * PROBABILITY_SUM_TOLERANCE);
  if (areWithin(1) && sumTo(1)) return 'probabilities';
  const guess = areWithin(1) ? 'sigmoids' : areWithin(PERCENT) && sumTo(PERCENT) ? 'percent' : undefined;
  if (guess === undefined) return 'logits';
  throw new ConfigError(
    `teachers.${config.name}.answer.kind is missing, and what ${config.path} answers may be ${guess} as well as logits: ` +
      `for a black, a white, a half white and a ramp image it gives rows that sum to ` +
      `${rows.map((row) => sumOf(row).toPrecision(4)).join(', ')}: declare it`,
    { code: 'TEACHER_ANSWER_KIND' },
  );
}
