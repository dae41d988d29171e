import { readFile } from 'node:fs/promises';
import { basename, extname } from 'node:path';
import { ConfigError, asBbdError } from '@bbdistill/common';
import * as ort from 'onnxruntime-node';
import type { Datatype, ServedClassifier } from './open-inference-model.js';

const DATATYPES: Readonly<Record<string, Datatype>> = { float32: 'FP32', uint8: 'UINT8' };
const ERROR_SEVERITY = 3;

export interface OnnxClassifierOptions {
  /** Name under which it is served. Default: the file's, without its ending. */
  model?: string;
  /** Default `1`. */
  version?: string;
  /** Needed where the model has several. */
  output?: string;
}

/** A classifier read from a file. */
export interface OnnxClassifier extends ServedClassifier {
  close(): Promise<void>;
}

/**
 * Opens an .onnx file as a classifier: one input [N, …] of float32 or uint8, one output [N, K] of floats.
 * @throws ConfigError where the file can't be read or isn't such a model
 */
export async function openOnnxClassifier(file: string, options: OnnxClassifierOptions = {}): Promise<OnnxClassifier> {
  const session = await openSession(file);
  try {
    return await describe(file, session, options);
  } catch (thrown) {
    await session.release();
    throw thrown;
  }
}

async function describe(
  file: string,
  session: ort.InferenceSession,
  options: OnnxClassifierOptions,
): Promise<OnnxClassifier> {
  const refuse = (reason: string) => new ConfigError(`${file}: ${reason}`, { code: 'TEACHER_MODEL' });
  const [input, ...others] = session.inputMetadata;
  if (!input?.isTensor || others.length > 0) {
    throw refuse(`a classifier has one tensor as input, this model has ${session.inputNames.join(', ') || 'none'}`);
  }
  const datatype = DATATYPES[input.type];
  if (!datatype) throw refuse(`input "${input.name}" is of type ${input.type}: only float32 and uint8 can be served`);
  const [batch, ...dims] = input.shape;
  if (dims.length === 0 || !dims.every((size) => typeof size === 'number' && size > 0)) {
    throw refuse(`input "${input.name}" is [${input.shape.join(',')}]: all sizes but the first must be fixed`);
  }
  const output =
    options.output === undefined && session.outputNames.length === 1
      ? session.outputNames[0]!
      : session.outputNames.find((name) => name === options.output);
  if (output === undefined) {
    const wanted = options.output === undefined ? 'choose one with --output' : `"${options.output}" is not among them`;
    throw refuse(`the model's outputs are ${session.outputNames.join(', ')}: ${wanted}`);
  }
  const step = typeof batch === 'number' && batch > 0 ? batch : undefined;
  const run = { session, inputName: input.name, datatype, dims: dims as number[], output, step };
  // The model says how long its answers are by giving one; what it declares may be a name.
  const probe = await runOnce(run, new Float32Array(elementsOf(run.dims)), 1);
  return {
    name: options.model ?? basename(file, extname(file)),
    version: options.version ?? '1',
    platform: 'onnxruntime_onnx',
    input: { name: input.name, dims: run.dims, datatype },
    output: { name: output, classes: probe.length },
    classify: (images, count) => classify(run, images, count, probe.length),
    close: () => session.release(),
  };
}

interface Run {
  session: ort.InferenceSession;
  inputName: string;
  datatype: Datatype;
  dims: readonly number[];
  output: string;
  /** Images that the model takes at a time; undefined: any number. */
  step: number | undefined;
}

async function classify(run: Run, images: Float32Array, count: number, classes: number): Promise<Float32Array> {
  const step = run.step ?? count;
  if (step === count) return runOnce(run, images, count);
  const pixels = elementsOf(run.dims);
  const rows = new Float32Array(count * classes);
  for (let start = 0; start < count; start += step) {
    const some = images.subarray(start * pixels, Math.min(count, start + step) * pixels);
    rows.set(await runOnce(run, some, some.length / pixels), start * classes);
  }
  return rows;
}

/** @param images no more than the model takes at a time; what is missing is filled with zeros */
async function runOnce(run: Run, images: Float32Array, count: number): Promise<Float32Array> {
  const { session, inputName, datatype, dims, output } = run;
  const batch = run.step ?? count;
  const values =
    datatype === 'FP32' ? new Float32Array(batch * elementsOf(dims)) : new Uint8Array(batch * elementsOf(dims));
  values.set(images);
  const type = datatype === 'FP32' ? 'float32' : 'uint8';
  const answer = (await session.run({ [inputName]: new ort.Tensor(type, values, [batch, ...dims]) }, [output]))[
    output
  ]!;
  if (answer.dims.length !== 2 || answer.dims[0] !== batch || !(answer.data instanceof Float32Array)) {
    throw new ConfigError(
      `output "${output}" is ${answer.type} [${answer.dims.join(',')}] for ${batch} images: a classifier answers ` +
        'float32 [N,K]',
      { code: 'TEACHER_MODEL' },
    );
  }
  return answer.data.slice(0, count * answer.dims[1]!);
}

function elementsOf(dims: readonly number[]): number {
  return dims.reduce((product, size) => product * size, 1);
}

async function openSession(file: string): Promise<ort.InferenceSession> {
  const bytes = await readFile(file).catch((cause: unknown) => {
    throw new ConfigError(`${file} can't be read: ${asBbdError(cause).message}`, { code: 'TEACHER_FILE', cause });
  });
  try {
    return await ort.InferenceSession.create(bytes, {
      // Requests run side by side; each takes one thread.
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
      executionMode: 'sequential',
      logSeverityLevel: ERROR_SEVERITY,
    });
  } catch (cause) {
    throw new ConfigError(`${file} is not a model that ONNX Runtime can load: ${asBbdError(cause).message}`, {
      code: 'TEACHER_FILE',
      cause,
    });
  }
}
