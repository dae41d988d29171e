import { BbdError, InvalidArgumentError, NotFoundError, systemClock } from '@bbdistill/common';
import type { Clock } from '@bbdistill/common';

export type Datatype = 'FP32' | 'UINT8';

/** A model as the Open Inference Protocol shows it: one input of images, one output of a row per image. */
export interface ServedClassifier {
  name: string;
  version: string;
  /** What runs it, e.g. `onnxruntime_onnx`; shown in the metadata. */
  platform: string;
  input: {
    name: string;
    /** Without the batch axis, e.g. [28, 28, 1]. */
    dims: readonly number[];
    /** FP32 takes UINT8 as well and divides it by 255; UINT8 takes only UINT8 and hands the bytes over as 0..255. */
    datatype: Datatype;
  };
  output: { name: string; classes: number };
  /**
   * @param images [count, …dims]
   * @returns [count, classes]
   */
  classify(images: Float32Array, count: number): Promise<Float32Array>;
}

export interface ModelLimits {
  /** Images in one request. Default {@link DEFAULT_MAX_BATCH}. */
  maxBatch?: number;
  /** Token bucket that holds one second's worth. Default: no limit. */
  imagesPerSecond?: number;
}

export const DEFAULT_MAX_BATCH = 1024;

/** One input of a request, before anything about it is believed. */
export interface SentTensor {
  name: unknown;
  datatype: unknown;
  shape: unknown;
  contents: TensorContents;
}

export type TensorContents =
  /** Little-endian. */
  | { kind: 'raw'; bytes: Uint8Array }
  /** Numbers, flat or nested as the shape says. */
  | { kind: 'typed'; values: unknown };

/** What a model has done since its server started. */
export interface InferenceStats {
  name: string;
  version: string;
  /** Images that were answered. */
  inferenceCount: number;
  /** Requests that were answered. */
  executionCount: number;
  /** Requests that were turned down or failed. */
  failureCount: number;
}

/** A classifier with everything that is the same over HTTP and gRPC: checks, limits, counters. */
export class OpenInferenceModel {
  readonly maxBatch: number;
  readonly #limiter: ImageLimiter | undefined;
  #inferenceCount = 0;
  #executionCount = 0;
  #failureCount = 0;

  /** @throws InvalidArgumentError where a limit or the classifier's form makes no sense */
  constructor(
    readonly classifier: ServedClassifier,
    limits: ModelLimits = {},
    clock: Clock = systemClock,
  ) {
    const { maxBatch = DEFAULT_MAX_BATCH, imagesPerSecond } = limits;
    if (!Number.isSafeInteger(maxBatch) || maxBatch < 1) {
      throw new InvalidArgumentError(`maxBatch is ${maxBatch}: it must be a whole number of images from 1 on`);
    }
    if (imagesPerSecond !== undefined && !(imagesPerSecond > 0 && Number.isFinite(imagesPerSecond))) {
      throw new InvalidArgumentError(`imagesPerSecond is ${imagesPerSecond}: it must be above 0`);
    }
    const sizes = [...classifier.input.dims, classifier.output.classes];
    if (!sizes.every((size) => Number.isSafeInteger(size) && size > 0)) {
      throw new InvalidArgumentError(`model "${classifier.name}" has a size of ${sizes.join(', ')}: all must be known`);
    }
    this.#limiter = imagesPerSecond === undefined ? undefined : new ImageLimiter(imagesPerSecond, clock);
    this.maxBatch = Math.min(maxBatch, this.#limiter?.capacity ?? maxBatch);
  }

  get stats(): InferenceStats {
    return {
      name: this.classifier.name,
      version: this.classifier.version,
      inferenceCount: this.#inferenceCount,
      executionCount: this.#executionCount,
      failureCount: this.#failureCount,
    };
  }

  /** @throws NotFoundError unless this is the model; no version means any */
  mustBe(name: string, version: string): void {
    const { name: known, version: knownVersion } = this.classifier;
    if (name !== known) throw new NotFoundError(`there is no model "${name}", only "${known}"`);
    if (version !== '' && version !== knownVersion) {
      throw new NotFoundError(`model "${known}" has no version "${version}", only "${knownVersion}"`);
    }
  }

  /**
   * Checks a request and answers it.
   * @param outputs names of the wanted outputs; empty = all
   * @returns [count, classes]
   * @throws InvalidArgumentError naming what is wrong with the request
   * @throws BbdError of kind `resource-exhausted` with `retryAfterMs` when the limit is reached
   */
  async infer(
    inputs: readonly SentTensor[],
    outputs: readonly unknown[],
  ): Promise<{ count: number; values: Float32Array }> {
    try {
      const { count, images } = this.#read(inputs, outputs);
      this.#limiter?.take(count);
      const values = await this.classifier.classify(images, count);
      const expected = count * this.classifier.output.classes;
      if (values.length !== expected) {
        throw new BbdError('internal', `the model gave ${values.length} values where ${expected} belong`);
      }
      this.#inferenceCount += count;
      this.#executionCount += 1;
      return { count, values };
    } catch (thrown) {
      this.#failureCount += 1;
      throw thrown;
    }
  }

  #read(inputs: readonly SentTensor[], outputs: readonly unknown[]): { count: number; images: Float32Array } {
    const { input, output } = this.classifier;
    const [sent] = inputs;
    if (!sent || inputs.length !== 1) {
      throw new InvalidArgumentError(`the request has ${inputs.length} inputs: send one, "${input.name}"`);
    }
    if (sent.name !== input.name) {
      throw new InvalidArgumentError(`there is no input ${shown(sent.name)}: send "${input.name}"`);
    }
    const unknown = outputs.find((name) => name !== output.name);
    if (unknown !== undefined || outputs.includes(undefined)) {
      throw new InvalidArgumentError(`there is no output ${shown(unknown)}: ask for "${output.name}"`);
    }
    const datatype = this.#datatype(sent.datatype);
    const count = this.#count(sent.shape);
    const elements = input.dims.reduce((product, size) => product * size, count);
    const images = readValues(sent, datatype, [count, ...input.dims], elements);
    if (datatype === 'UINT8' && input.datatype === 'FP32') for (let i = 0; i < elements; i++) images[i]! /= 255;
    return { count, images };
  }

  #datatype(sent: unknown): Datatype {
    const { name, datatype } = this.classifier.input;
    if (sent === 'UINT8' || (sent === 'FP32' && datatype === 'FP32')) return sent;
    const accepted = datatype === 'FP32' ? 'FP32 or UINT8' : 'UINT8';
    throw new InvalidArgumentError(`input "${name}" has datatype ${shown(sent)}: send ${accepted}`);
  }

  #count(shape: unknown): number {
    const { name, dims } = this.classifier.input;
    const wanted = `[N,${dims.join(',')}]`;
    const fits = Array.isArray(shape) && shape.length === dims.length + 1 && dims.every((d, i) => shape[i + 1] === d);
    if (!fits) throw new InvalidArgumentError(`input "${name}" has shape ${shown(shape)}: send ${wanted}`);
    const count: unknown = shape[0];
    if (typeof count !== 'number' || !Number.isSafeInteger(count) || count < 1 || count > this.maxBatch) {
      throw new InvalidArgumentError(`input "${name}" has ${shown(count)} images: send 1 to ${this.maxBatch}`);
    }
    return count;
  }
}

const BYTES_PER_VALUE: Readonly<Record<Datatype, number>> = { FP32: 4, UINT8: 1 };

function readValues(sent: SentTensor, datatype: Datatype, shape: readonly number[], elements: number): Float32Array {
  const values =
    sent.contents.kind === 'raw'
      ? rawValues(sent, sent.contents.bytes, datatype, elements)
      : typedValues(sent, sent.contents.values, shape, elements);
  const isValid =
    datatype === 'FP32' ? Number.isFinite : (value: number) => Number.isInteger(value) && value >= 0 && value <= 255;
  const bad = values.findIndex((value) => !isValid(value));
  if (bad >= 0) {
    throw new InvalidArgumentError(`input ${shown(sent.name)} holds ${values[bad]} at ${bad}, which is no ${datatype}`);
  }
  return values;
}

function rawValues(sent: SentTensor, bytes: Uint8Array, datatype: Datatype, elements: number): Float32Array {
  const expected = elements * BYTES_PER_VALUE[datatype];
  if (bytes.length !== expected) {
    throw new InvalidArgumentError(
      `input ${shown(sent.name)} has ${bytes.length} bytes where its shape and datatype ${datatype} need ${expected}`,
    );
  }
  if (datatype === 'UINT8') return Float32Array.from(bytes);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Float32Array.from({ length: elements }, (_, at) => view.getFloat32(at * 4, true));
}

function typedValues(sent: SentTensor, data: unknown, shape: readonly number[], elements: number): Float32Array {
  if (!Array.isArray(data)) throw new InvalidArgumentError(`input ${shown(sent.name)} has no list of values as data`);
  const values = new Float32Array(elements);
  let at = 0;
  const put = (value: unknown) => {
    if (typeof value !== 'number') {
      throw new InvalidArgumentError(`input ${shown(sent.name)} holds ${shown(value)} at ${at}, which is no number`);
    }
    values[at++] = value;
  };
  const fill = (node: unknown, axis: number) => {
    if (axis === shape.length) return put(node);
    const size = shape[axis]!;
    if (!Array.isArray(node) || node.length !== size) {
      const found = Array.isArray(node) ? `${node.length} values` : 'no list';
      throw new InvalidArgumentError(
        `input ${shown(sent.name)} has ${found} at axis ${axis} where its shape says ${size}`,
      );
    }
    for (const child of node) fill(child, axis + 1);
  };
  if (Array.isArray(data[0])) {
    fill(data, 0);
    return values;
  }
  if (data.length !== elements) {
    throw new InvalidArgumentError(
      `input ${shown(sent.name)} has ${data.length} values where its shape needs ${elements}`,
    );
  }
  for (const value of data) put(value);
  return values;
}

const SHOWN_CHARACTERS = 60;

/** What was sent, short enough for a message. */
function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text;
}

/** A token bucket of images that holds one second's worth. */
class ImageLimiter {
  readonly capacity: number;
  #tokens: number;
  #filledAtMs: number;

  constructor(
    private readonly imagesPerSecond: number,
    private readonly clock: Clock,
  ) {
    this.capacity = Math.max(1, Math.floor(imagesPerSecond));
    this.#tokens = this.capacity;
    this.#filledAtMs = clock.monotonicMs();
  }

  /** @throws BbdError of kind `resource-exhausted` */
  take(images: number): void {
    const nowMs = this.clock.monotonicMs();
    this.#tokens = Math.min(this.capacity, this.#tokens + ((nowMs - this.#filledAtMs) / 1000) * this.imagesPerSecond);
    this.#filledAtMs = nowMs;
    if (this.#tokens >= images) {
      this.#tokens -= images;
      return;
    }
    const retryAfterMs = Math.ceil(((images - this.#tokens) / this.imagesPerSecond) * 1000);
    throw new BbdError(
      'resource-exhausted',
      `the limit of ${this.imagesPerSecond} images a second is reached: try again in ${retryAfterMs} ms`,
      { code: 'RATE_LIMITED', retryable: true, retryAfterMs },
    );
  }
}
