import { asBbdError, isJsonObject } from '@bbdistill/common';
import type { Clock, ImageBatch } from '@bbdistill/common';
import { encodeInput } from '../input.js';
import type { InputForm } from '../input.js';
import type { TeacherConfig } from '../registry.js';
import { shownJson } from '../shown-text.js';
import type { AnswerForm, CanonicalRequests, ImageAnswer, QueryOutcome, Teacher, TeacherFacts } from '../teacher.js';
import { canonicalInput, declaredInput, identityOf, pictureOf, tensorAnswer } from './declared.js';
import type { Environment } from './declared.js';
import { HttpReply } from './http.js';
import { jsonPath } from './json-answer.js';
import { nestedImages } from './nested-images.js';
import { encodePictures } from './pictures.js';
import { unreadable } from './rows.js';
import { TeacherHttp } from './teacher-http.js';
import { imageShapeOf, pick } from './tensor-metadata.js';

export const DEFAULT_SIGNATURE = 'serving_default';

interface SignatureTensor {
  name: string;
  shape: number[];
}

/** TensorFlow Serving's REST API: rows (`instances`, `predictions`) or columns (`inputs`, `outputs`). */
export class TfServingTeacher implements Teacher {
  readonly cacheIdentity: string;
  readonly answer: AnswerForm;
  readonly #input: InputForm;
  readonly #http: TeacherHttp;
  readonly #base: string;
  readonly #model: string;
  readonly #signature: string;

  constructor(
    private readonly config: TeacherConfig,
    env: Environment,
    clock: Clock,
  ) {
    const { signature = DEFAULT_SIGNATURE, versionLabel } = config.tfServing ?? {};
    this.cacheIdentity = identityOf(config);
    this.answer = tensorAnswer(config);
    this.#input = declaredInput(config);
    this.#http = new TeacherHttp(config, env, clock);
    this.#base = (config.url ?? '').replace(/\/+$/, '');
    const version = config.version
      ? `/versions/${encodeURIComponent(config.version)}`
      : versionLabel
        ? `/labels/${encodeURIComponent(versionLabel)}`
        : '';
    this.#model = `${this.#base}/v1/models/${encodeURIComponent(config.model ?? '')}${version}`;
    this.#signature = signature;
  }

  async describe(signal: AbortSignal): Promise<TeacherFacts> {
    const facts = { adapter: this.config.adapter, endpoint: this.#base };
    try {
      const status = await this.#http.ask(this.#model, signal);
      if (!(status instanceof HttpReply)) return { ...facts, ready: false, detail: status.message };
      if (status.status !== 200) return { ...facts, ready: false, detail: this.#http.describeStatus(status) };
      const states = STATES(status.json());
      if (!Array.isArray(states) || !states.includes('AVAILABLE')) {
        return { ...facts, ready: false, detail: `no version of the model is available: ${JSON.stringify(states)}` };
      }
      const metadata = await this.#http.ask(`${this.#model}/metadata`, signal);
      if (!(metadata instanceof HttpReply) || metadata.status !== 200) return { ...facts, ready: true, detail: '' };
      const { inputs, outputs } = signatureOf(metadata.json(), this.#signature);
      const classes = pick(outputs, this.config.answer.output)?.shape.at(-1) ?? -1;
      const shape = imageShapeOf(pick(inputs, this.config.input.name)?.shape, this.#input.layout);
      return {
        ...facts,
        ready: true,
        detail: `signature ${this.#signature}`,
        ...(classes > 0 && this.answer.kind !== 'hard-label' && { classes }),
        ...(shape && { inputShape: shape }),
      };
    } catch (error) {
      return { ...facts, ready: false, detail: asBbdError(error).message };
    }
  }

  canonicalRequests(images: ImageBatch): CanonicalRequests {
    const requests = canonicalInput(this.config, this.#input, images);
    return {
      ...requests,
      header: JSON.stringify([this.#signature, this.config.tfServing?.versionLabel ?? '', requests.header]),
    };
  }

  async query(images: ImageBatch, signal: AbortSignal): Promise<QueryOutcome> {
    const values = await this.#values(images);
    const { name } = this.config.input;
    const isColumns = this.config.tfServing?.format === 'inputs';
    const inputs = name === undefined ? values : { [name]: values };
    const instances = values.map((value) => (name === undefined ? value : { [name]: value }));
    const asked = isColumns ? { inputs } : { instances };
    const body = Buffer.from(JSON.stringify({ signature_name: this.#signature, ...asked }));
    const headers = { 'content-type': 'application/json' };
    const url = `${this.#model}:predict`;
    const reply = await this.#http.send({ method: 'POST', url, headers, body, signal }, images.count);
    return this.#http.outcome(reply, images.count, (answered) => this.#read(answered, images.count));
  }

  async close(): Promise<void> {
    await this.#http.close();
  }

  async #values(images: ImageBatch): Promise<unknown[]> {
    const picture = pictureOf(this.config);
    if (!picture) return nestedImages(encodeInput(this.#input, images), this.#input);
    const files = await encodePictures(this.#input, picture, images);
    return files.map((file) => ({ b64: Buffer.from(file).toString('base64') }));
  }

  #read(reply: HttpReply, count: number): ImageAnswer[] {
    const answer = reply.json() as { predictions?: unknown; outputs?: unknown; error?: unknown } | null;
    const rows = answer?.predictions ?? this.#column(answer?.outputs);
    if (!Array.isArray(rows) || rows.length !== count) {
      const found = Array.isArray(rows) ? `${rows.length} answers` : 'no list of answers';
      return unreadable(count, `TensorFlow Serving gave ${found} for ${count} images: ${shownJson(answer)}`);
    }
    return rows.map((row: unknown) => this.#readRow(row));
  }

  /** `outputs` is a tensor, or a table of tensors by name. */
  #column(outputs: unknown): unknown {
    return isJsonObject(outputs) ? pickValue(outputs, this.config.answer.output) : outputs;
  }

  #readRow(row: unknown): ImageAnswer {
    const value = isJsonObject(row) ? pickValue(row, this.config.answer.output) : row;
    const flat = [value].flat(Infinity);
    if (flat.length > 0 && flat.every((each) => typeof each === 'string'))
      return { ok: true, raw: JSON.stringify(flat) };
    if (flat.length === 0 || !flat.every((each) => typeof each === 'number' || each === null)) {
      const message = `an answer is neither numbers nor strings: ${shownJson(row)}; set answer.output`;
      return unreadable(1, message)[0]!;
    }
    return { ok: true, raw: Float32Array.from(flat, (each) => (each === null ? Number.NaN : Number(each))) };
  }
}

const STATES = jsonPath('model_version_status[].state');

function pickValue(table: Record<string, unknown>, name: string | undefined): unknown {
  const names = Object.keys(table);
  if (name !== undefined) return Object.hasOwn(table, name) ? table[name] : undefined;
  return names.length === 1 ? table[names[0]!] : undefined;
}

/** Inputs and outputs of a signature, as `/metadata` tells them. */
function signatureOf(metadata: unknown, signature: string): { inputs: SignatureTensor[]; outputs: SignatureTensor[] } {
  const found = jsonPath('metadata.signature_def.signature_def')(metadata) as Record<string, unknown> | null;
  const definition = (found?.[signature] ?? {}) as Record<string, unknown>;
  return { inputs: tensorsOf(definition.inputs), outputs: tensorsOf(definition.outputs) };
}

function tensorsOf(table: unknown): SignatureTensor[] {
  if (table === null || typeof table !== 'object') return [];
  return Object.entries(table).map(([name, tensor]) => {
    const sizes = jsonPath('tensor_shape.dim[].size')(tensor);
    return { name, shape: Array.isArray(sizes) ? sizes.map(Number) : [] };
  });
}
