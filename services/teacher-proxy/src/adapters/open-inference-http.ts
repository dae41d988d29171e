import { asBbdError } from '@bbdistill/common';
import type { Clock, ImageBatch, ImageShape } from '@bbdistill/common';
import { encodeInput } from '../input.js';
import type { InputForm } from '../input.js';
import type { TeacherConfig } from '../registry.js';
import type { AnswerForm, CanonicalRequests, ImageAnswer, QueryOutcome, Teacher, TeacherFacts } from '../teacher.js';
import { authHeader, canonicalTensors, declaredAnswer, declaredInput, identityOf } from './declared.js';
import type { Environment } from './declared.js';
import { exchange } from './http.js';
import { describeStatus, failureOf } from './http-failures.js';
import type { HttpReply } from './http.js';
import { limitHints } from './limit-headers.js';
import { answerRows, readRaw, unreadable } from './rows.js';

const BINARY_EXTENSION = 'binary_tensor_data';
const BINARY_HEADER = 'inference-header-content-length';

interface TensorMetadata {
  name?: string;
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

interface Found {
  inputName: string;
  /** Absent: the server is not told and answers with all it has. */
  outputName: string | undefined;
  binary: boolean;
}

/** The Open Inference Protocol v2 over HTTP: JSON tensors, or the binary extension where the server offers it. */
export class OpenInferenceHttpTeacher implements Teacher {
  readonly cacheIdentity: string;
  readonly answer: AnswerForm;
  readonly #input: InputForm;
  readonly #base: string;
  readonly #model: string;
  #found: Found | undefined;

  constructor(
    private readonly config: TeacherConfig,
    private readonly env: Environment,
    private readonly clock: Clock,
  ) {
    this.cacheIdentity = identityOf(config);
    this.answer = declaredAnswer(config);
    this.#input = declaredInput(config);
    this.#base = (config.url ?? '').replace(/\/+$/, '');
    const version = config.version ? `/versions/${encodeURIComponent(config.version)}` : '';
    this.#model = `${this.#base}/v2/models/${encodeURIComponent(config.model ?? '')}${version}`;
  }

  async describe(signal: AbortSignal): Promise<TeacherFacts> {
    const facts = { adapter: this.config.adapter, endpoint: this.#base };
    try {
      const reply = await this.#get(this.#model, signal);
      if (!('status' in reply)) return { ...facts, ready: false, detail: reply.message };
      if (reply.status !== 200) return { ...facts, ready: false, detail: describeStatus(reply) };
      const { inputs = [], outputs = [] } = reply.json() as ModelMetadata;
      const classes = pick(outputs, this.config.answer.output)?.shape?.at(-1) ?? -1;
      const shape = imageShape(pick(inputs, this.config.input.name)?.shape, this.#input.layout);
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
    return canonicalTensors(this.config, this.#input, images);
  }

  async query(images: ImageBatch, signal: AbortSignal): Promise<QueryOutcome> {
    const found = await this.#findOut(signal);
    if ('kind' in found) return found;
    const encoded = encodeInput(this.#input, images);
    const tensor = { name: found.inputName, datatype: this.#input.datatype, shape: encoded.dims };
    const outputs = found.outputName
      ? [{ name: found.outputName, ...(found.binary && { parameters: { binary_data: true } }) }]
      : undefined;
    let body: Uint8Array;
    const headers: Record<string, string> = { 'content-type': 'application/json' };
    if (found.binary) {
      const head = Buffer.from(
        JSON.stringify({ inputs: [{ ...tensor, parameters: { binary_data_size: encoded.bytes.length } }], outputs }),
      );
      headers['content-type'] = 'application/octet-stream';
      headers[BINARY_HEADER] = String(head.length);
      body = Buffer.concat([head, encoded.bytes]);
    } else {
      body = Buffer.from(
        JSON.stringify({ inputs: [{ ...tensor, data: jsonData(encoded.bytes, tensor.datatype) }], outputs }),
      );
    }
    const reply = await this.#send('POST', `${this.#model}/infer`, signal, body, headers);
    if (!('status' in reply)) return reply;
    return this.#read(reply, images.count);
  }

  async close(): Promise<void> {
    this.#found = undefined;
  }

  #read(reply: HttpReply, count: number): QueryOutcome {
    const refusal = failureOf(reply, this.clock);
    if (refusal) return refusal;
    const answered = (answers: ImageAnswer[]): QueryOutcome => ({
      kind: 'answered',
      answers,
      limits: limitHints(reply.headers, this.clock.nowMs()),
    });
    try {
      const headLength = Number(reply.headers.get(BINARY_HEADER) ?? Number.NaN);
      const binary = Number.isSafeInteger(headLength) ? reply.body.subarray(headLength) : undefined;
      const response = reply.json(binary && headLength) as { outputs?: OutputTensor[] };
      const outputs = response.outputs ?? [];
      const wanted = pick(outputs, this.config.answer.output);
      if (!wanted) {
        const names = outputs.map(({ name }) => name).join(', ') || 'none';
        const hint = this.config.answer.output ? `no output "${this.config.answer.output}"` : 'no single output';
        return answered(unreadable(count, `the answer has ${hint}, but: ${names}; set answer.output`));
      }
      const values = readOutput(wanted, outputs, binary);
      if (!values)
        return answered(unreadable(count, `output "${wanted.name}" of datatype ${wanted.datatype} can't be read`));
      return answered(answerRows(values, count, wanted.shape ?? []));
    } catch (cause) {
      return answered(
        unreadable(count, `the teacher's answer is not what the protocol says: ${asBbdError(cause).message}`),
      );
    }
  }

  /** Names and extensions, asked for once, before the first query. */
  async #findOut(signal: AbortSignal): Promise<Found | QueryOutcome> {
    if (this.#found) return this.#found;
    const server = await this.#get(`${this.#base}/v2`, signal);
    if (!('status' in server)) return server;
    const extensions = server.status === 200 ? (server.json() as { extensions?: string[] }).extensions : undefined;
    let inputName = this.config.input.name;
    let outputName = this.config.answer.output;
    if (!inputName || !outputName) {
      const reply = await this.#get(this.#model, signal);
      if (!('status' in reply)) return reply;
      const failure = failureOf(reply, this.clock);
      if (failure && !inputName) return failure;
      const metadata = failure ? {} : (reply.json() as ModelMetadata);
      inputName ??= pick(metadata.inputs ?? [], undefined)?.name;
      outputName ??= pick(metadata.outputs ?? [], undefined)?.name;
    }
    if (!inputName) {
      const message = `model "${this.config.model}" doesn't say what its only input is called: set input.name`;
      return { kind: 'refused', code: 'INPUT_UNKNOWN', message };
    }
    return (this.#found = { inputName, outputName, binary: extensions?.includes(BINARY_EXTENSION) ?? false });
  }

  /** A question that costs nothing: an answer that is lost is as good as a server that can't be reached. */
  async #get(url: string, signal: AbortSignal): Promise<HttpReply | (QueryOutcome & { message: string })> {
    const reply = await this.#send('GET', url, signal);
    if ('status' in reply || reply.kind !== 'lost') return reply;
    return { ...reply, kind: 'unreachable' };
  }

  #send(method: string, url: string, signal: AbortSignal, body?: Uint8Array, headers: Record<string, string> = {}) {
    const auth = authHeader(this.config.auth, this.env);
    return exchange({
      method,
      url,
      signal,
      headers: { ...headers, ...(auth && { [auth[0]]: auth[1] }) },
      ...(body && { body }),
    });
  }
}

/** The tensor of that name, or the only one. */
function pick<T extends TensorMetadata>(tensors: readonly T[], name: string | undefined): T | undefined {
  if (name !== undefined) return tensors.find((tensor) => tensor.name === name);
  return tensors.length === 1 ? tensors[0] : undefined;
}

function imageShape(dims: number[] | undefined, layout: InputForm['layout']): ImageShape | undefined {
  if (dims?.length !== 4) return undefined;
  const [height, width, channels] = layout === 'NHWC' ? dims.slice(1) : [dims[2], dims[3], dims[1]];
  if (!height || !width || !channels || height < 0 || width < 0 || channels < 0) return undefined;
  return { height, width, channels };
}

function jsonData(bytes: Uint8Array, datatype: InputForm['datatype']): number[] {
  if (datatype === 'UINT8') return Array.from(bytes);
  return Array.from(new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4));
}

function readOutput(
  wanted: OutputTensor,
  outputs: readonly OutputTensor[],
  binary: Uint8Array | undefined,
): Float32Array | undefined {
  const size = wanted.parameters?.binary_data_size;
  if (size === undefined) return wanted.data === undefined ? undefined : flatten(wanted.data);
  if (!binary) return undefined;
  let start = 0;
  for (const output of outputs) {
    if (output === wanted) break;
    start += output.parameters?.binary_data_size ?? 0;
  }
  if (start + size > binary.length) return undefined;
  return readRaw(binary.subarray(start, start + size), wanted.datatype ?? '');
}

/** Flat or nested; what is no number becomes NaN, so that only its own image fails. */
function flatten(data: unknown): Float32Array {
  const flat = Array.isArray(data) ? (data.flat(Infinity) as unknown[]) : [data];
  return Float32Array.from(flat, (value) => {
    if (typeof value === 'boolean') return value ? 1 : 0;
    return typeof value === 'number' ? value : Number.NaN;
  });
}
