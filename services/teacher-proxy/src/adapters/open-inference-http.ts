import { asBbdError } from '@bbdistill/common';
import type { Clock, ImageBatch } from '@bbdistill/common';
import { encodeInput, encodedValues } from '../input.js';
import type { InputForm } from '../input.js';
import type { TeacherConfig } from '../registry.js';
import type { AnswerForm, CanonicalRequests, ImageAnswer, QueryOutcome, Teacher, TeacherFacts } from '../teacher.js';
import { canonicalInput, declaredInput, identityOf, pictureOf, tensorAnswer } from './declared.js';
import type { Environment } from './declared.js';
import { Found, FreeQuestions } from './free-questions.js';
import { HttpReply } from './http.js';
import type { Unanswered } from './http.js';
import { encodePictures } from './pictures.js';
import { answerRows, answerStrings, readByteStrings, readRaw, unreadable, writeByteStrings } from './rows.js';
import { TeacherHttp } from './teacher-http.js';
import { imageShapeOf, pick } from './tensor-metadata.js';

const BINARY_EXTENSION = 'binary_tensor_data';
const BINARY_HEADER = 'inference-header-content-length';

interface TensorMetadata {
  name: string;
  datatype?: string;
  shape?: number[];
}

interface ModelMetadata {
  inputs?: TensorMetadata[];
  outputs?: TensorMetadata[];
}

interface OutputTensor extends TensorMetadata {
  data?: unknown;
  parameters?: { binary_data_size?: number };
}

interface Form {
  inputName: string;
  /** Axes of the input tensor; 0 where the server doesn't say. */
  inputAxes: number;
  /** Absent: the server is not told and answers with all it has. */
  outputName: string | undefined;
  binary: boolean;
}

/** The input tensor as JSON has it, and the bytes that follow the JSON in the binary extension. */
interface SentTensor {
  datatype: string;
  shape: readonly number[];
  data?: unknown;
  parameters?: Record<string, unknown>;
  bytes?: Uint8Array;
}

/** The Open Inference Protocol v2 over HTTP: JSON tensors, or the binary extension where the server offers it. */
export class OpenInferenceHttpTeacher implements Teacher {
  readonly cacheIdentity: string;
  readonly answer: AnswerForm;
  readonly #input: InputForm;
  readonly #base: string;
  readonly #model: string;
  readonly #http: TeacherHttp;
  readonly #questions: FreeQuestions;
  readonly #form: Found<Form>;

  constructor(
    private readonly config: TeacherConfig,
    env: Environment,
    clock: Clock,
  ) {
    this.cacheIdentity = identityOf(config);
    this.answer = tensorAnswer(config);
    this.#input = declaredInput(config);
    this.#http = new TeacherHttp(config, env, clock);
    this.#questions = new FreeQuestions(this.#http, clock);
    this.#form = new Found(clock);
    this.#base = (config.url ?? '').replace(/\/+$/, '');
    const version = config.version ? `/versions/${encodeURIComponent(config.version)}` : '';
    this.#model = `${this.#base}/v2/models/${encodeURIComponent(config.model ?? '')}${version}`;
  }

  async describe(signal: AbortSignal): Promise<TeacherFacts> {
    const facts = { adapter: this.config.adapter, endpoint: this.#base };
    try {
      const reply = await this.#http.ask(this.#model, signal);
      if (!(reply instanceof HttpReply)) return { ...facts, ready: false, detail: reply.message };
      if (reply.status !== 200) return { ...facts, ready: false, detail: this.#http.describeStatus(reply) };
      const { inputs = [], outputs = [] } = reply.json() as ModelMetadata;
      const classes = pick(outputs, this.config.answer.output)?.shape?.at(-1) ?? -1;
      const shape = imageShapeOf(pick(inputs, this.config.input.name)?.shape, this.#input.layout);
      return {
        ...facts,
        ready: true,
        detail: '',
        ...(classes > 0 && this.answer.kind !== 'hard-label' && { classes }),
        ...(shape && { inputShape: shape }),
      };
    } catch (error) {
      return { ...facts, ready: false, detail: asBbdError(error).message };
    }
  }

  canonicalRequests(images: ImageBatch): CanonicalRequests {
    return canonicalInput(this.config, this.#input, images);
  }

  async query(images: ImageBatch, signal: AbortSignal): Promise<QueryOutcome> {
    const form = await this.#findOut(signal);
    if ('kind' in form) return form;
    const { bytes, ...sent } = await this.#tensor(images, form);
    const { classification } = this.config.answer;
    const wanted = {
      ...(form.binary && { binary_data: true }),
      ...(classification !== undefined && { classification }),
    };
    const parameters = Object.keys(wanted).length > 0 ? { parameters: wanted } : {};
    const outputs = form.outputName ? [{ name: form.outputName, ...parameters }] : undefined;
    const head = Buffer.from(JSON.stringify({ inputs: [{ name: form.inputName, ...sent }], outputs }));
    const headers = bytes
      ? { 'content-type': 'application/octet-stream', [BINARY_HEADER]: String(head.length) }
      : { 'content-type': 'application/json' };
    const body = bytes ? Buffer.concat([head, bytes]) : head;
    const request = { method: 'POST', url: `${this.#model}/infer`, headers, body, signal };
    const reply = await this.#http.send(request, images.count);
    if (reply instanceof HttpReply && !this.#http.failure(reply)) this.#form.letIn(form);
    return this.#http.outcome(reply, images.count, (answered) => this.#read(answered, images.count));
  }

  async close(): Promise<void> {
    this.#form.forget();
    await this.#http.close();
  }

  async #tensor(images: ImageBatch, { binary, inputAxes }: Form): Promise<SentTensor> {
    const picture = pictureOf(this.config);
    if (!picture) {
      const encoded = encodeInput(this.#input, images);
      const { datatype } = this.#input;
      if (!binary) return { datatype, shape: encoded.dims, data: encodedValues(encoded, datatype) };
      const parameters = { binary_data_size: encoded.bytes.length };
      return { datatype, shape: encoded.dims, parameters, bytes: encoded.bytes };
    }
    const files = await encodePictures(this.#input, picture, images);
    const shape = inputAxes === 2 ? [images.count, 1] : [images.count];
    if (!binary) {
      // JSON has no bytes: the protocol's servers take them as base64 where the request says so.
      const data = files.map((file) => Buffer.from(file).toString('base64'));
      return { datatype: 'BYTES', shape, data, parameters: { content_type: 'base64' } };
    }
    const bytes = writeByteStrings(files);
    return { datatype: 'BYTES', shape, parameters: { binary_data_size: bytes.length }, bytes };
  }

  #read(reply: HttpReply, count: number): ImageAnswer[] {
    const headLength = Number(reply.headers.get(BINARY_HEADER) ?? Number.NaN);
    const binary = Number.isSafeInteger(headLength) ? reply.body.subarray(headLength) : undefined;
    const response = reply.json(binary && headLength) as { outputs?: OutputTensor[] };
    const outputs = response.outputs ?? [];
    const wanted = pick(outputs, this.config.answer.output);
    if (!wanted) {
      const names = outputs.map(({ name }) => name).join(', ') || 'none';
      const hint = this.config.answer.output ? `no output "${this.config.answer.output}"` : 'no single output';
      return unreadable(count, `the answer has ${hint}, but: ${names}; set answer.output`);
    }
    const values = readOutput(wanted, outputs, binary);
    if (!values) return unreadable(count, `output "${wanted.name}" of datatype ${wanted.datatype} can't be read`);
    const shape = wanted.shape ?? [];
    return values instanceof Float32Array ? answerRows(values, count, shape) : answerStrings(values, count, shape);
  }

  /** Names and extensions, asked for before the first query, and again as long as they aren't known for certain. */
  async #findOut(signal: AbortSignal): Promise<Form | Unanswered> {
    const known = this.#form.get();
    if (known) return known;
    const server = await this.#questions.ask(`${this.#base}/v2`, signal);
    if ('kind' in server) return server;
    const extensions = server.reply ? extensionsOf(server.reply) : [];
    const answers = [server];
    let inputName = this.config.input.name;
    let inputAxes = 0;
    let outputName = this.config.answer.output;
    if (!inputName || !outputName || pictureOf(this.config)) {
      const model = await this.#questions.ask(this.#model, signal);
      if ('kind' in model) return model;
      if (model.failure && !inputName) return model.failure;
      answers.push(model);
      const metadata = model.reply ? metadataOf(model.reply) : {};
      const input = pick(metadata.inputs ?? [], inputName);
      inputName ??= input?.name;
      inputAxes = input?.shape?.length ?? 0;
      outputName ??= pick(metadata.outputs ?? [], undefined)?.name;
    }
    if (!inputName) {
      const message = `model "${this.config.model}" doesn't say what its only input is called: set input.name`;
      return { kind: 'refused', code: 'INPUT_UNKNOWN', message, sent: false };
    }
    const form = { inputName, inputAxes, outputName, binary: extensions.includes(BINARY_EXTENSION) };
    return this.#form.keep(form, answers);
  }
}

/** What a server says of itself is no condition of asking it: nonsense counts as nothing said. */
function extensionsOf(reply: HttpReply): string[] {
  const { extensions } = tryJson(reply) as { extensions?: unknown };
  return Array.isArray(extensions) ? extensions.filter((each) => typeof each === 'string') : [];
}

function metadataOf(reply: HttpReply): ModelMetadata {
  const { inputs, outputs } = tryJson(reply) as Record<string, unknown>;
  return { inputs: tensorsOf(inputs), outputs: tensorsOf(outputs) };
}

function tensorsOf(value: unknown): TensorMetadata[] {
  if (!Array.isArray(value)) return [];
  return value.filter((each): each is TensorMetadata => typeof (each as TensorMetadata | null)?.name === 'string');
}

function tryJson(reply: HttpReply): object {
  try {
    return reply.json() ?? {};
  } catch {
    return {};
  }
}

function readOutput(
  wanted: OutputTensor,
  outputs: readonly OutputTensor[],
  binary: Uint8Array | undefined,
): Float32Array | string[] | undefined {
  const size = wanted.parameters?.binary_data_size;
  const isStrings = wanted.datatype === 'BYTES';
  if (size === undefined) {
    if (wanted.data === undefined) return undefined;
    return isStrings ? [wanted.data].flat(Infinity).map(String) : flatten(wanted.data);
  }
  if (!binary || !Number.isSafeInteger(size) || size < 0) return undefined;
  let start = 0;
  for (const output of outputs) {
    if (output === wanted) break;
    start += output.parameters?.binary_data_size ?? 0;
  }
  if (start + size > binary.length) return undefined;
  const bytes = binary.subarray(start, start + size);
  if (!isStrings) return readRaw(bytes, wanted.datatype ?? '');
  return readByteStrings(bytes)?.map((element) => Buffer.from(element).toString());
}

/** Flat or nested; what is no number becomes NaN, so that only its own image fails. */
function flatten(data: unknown): Float32Array {
  const flat = Array.isArray(data) ? (data.flat(Infinity) as unknown[]) : [data];
  return Float32Array.from(flat, (value) => {
    if (typeof value === 'boolean') return value ? 1 : 0;
    return typeof value === 'number' ? value : Number.NaN;
  });
}
