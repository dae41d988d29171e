import type { Clock, ImageBatch } from '@bbdistill/common';
import { DEFAULT_MULTIPART_FIELD, IMAGE_PLACEHOLDER, repeatedList } from '../http-json-config.js';
import type { RequestConfig, ResponseConfig } from '../http-json-config.js';
import { encodeInput } from '../input.js';
import type { InputForm } from '../input.js';
import type { TeacherConfig } from '../registry.js';
import { shownJson } from '../shown-text.js';
import type { AnswerForm, CanonicalRequests, ImageAnswer, QueryOutcome, Teacher, TeacherFacts } from '../teacher.js';
import { DEFAULT_PICTURE, declaredAnswer, declaredInput, identityOf } from './declared.js';
import type { Environment } from './declared.js';
import { isThrottling } from './http-failures.js';
import type { HttpReply } from './http.js';
import { AnswerAbsentError, gappedPath, jsonPath, jsonReader } from './json-answer.js';
import type { JsonPath } from './json-answer.js';
import { nestedImages } from './nested-images.js';
import { canonicalPictures, encodePictures } from './pictures.js';
import type { PictureForm } from './pictures.js';
import { UNREADABLE, unreadable } from './rows.js';
import { TeacherHttp } from './teacher-http.js';

/** Longer is no answer about one image. */
export const MAX_RAW_CHARACTERS = 256 * 1024;
export const ITEM_FAILED = 'ITEM_FAILED';

/** Any HTTP API that takes pictures or tensors and answers JSON, as declared. */
export class HttpJsonTeacher implements Teacher {
  readonly cacheIdentity: string;
  readonly answer: AnswerForm;
  readonly #input: InputForm;
  readonly #picture: PictureForm | undefined;
  readonly #request: RequestConfig;
  readonly #http: TeacherHttp;
  readonly #url: string;
  readonly #items: JsonPath | undefined;
  readonly #error: JsonPath | undefined;
  readonly #callError: JsonPath | undefined;

  constructor(
    private readonly config: TeacherConfig,
    env: Environment,
    clock: Clock,
  ) {
    const request = config.request ?? {};
    const response: ResponseConfig = config.response ?? {};
    this.cacheIdentity = identityOf(config);
    this.answer = declaredAnswer(config, jsonReader(response));
    this.#input = declaredInput(config);
    this.#request = request;
    const { picture = DEFAULT_PICTURE, quality } = config.input;
    this.#picture = request.format === 'tensor' ? undefined : { format: picture, quality };
    this.#http = new TeacherHttp(config, env, clock);
    this.#url = config.url ?? '';
    this.#items = response.items === undefined ? undefined : gappedPath(response.items);
    this.#error = response.error === undefined ? undefined : jsonPath(response.error);
    this.#callError = response.callError === undefined ? undefined : jsonPath(response.callError);
  }

  async describe(): Promise<TeacherFacts> {
    const detail = 'such an API has no question that costs nothing: teacher check asks a real one';
    return { adapter: this.config.adapter, endpoint: this.#url, ready: true, detail };
  }

  canonicalRequests(images: ImageBatch): CanonicalRequests {
    const { format, method, body, field, fields, headers } = this.#request;
    const about = { format, method, body, field, fields, headers, model: this.config.model ?? '' };
    if (this.#picture) return canonicalPictures(this.#input, this.#picture, about, images);
    const { dims, bytes, bytesPerImage } = encodeInput(this.#input, images);
    return { header: JSON.stringify({ shape: dims.slice(1), ...about }), bytes, bytesPerImage };
  }

  async query(images: ImageBatch, signal: AbortSignal): Promise<QueryOutcome> {
    const { body, contentType } = await this.#body(images);
    const headers = {
      accept: 'application/json',
      ...(contentType && { 'content-type': contentType }),
      ...this.#request.headers,
    };
    const request = { method: this.#request.method ?? 'POST', url: this.#url, headers, body, signal };
    const reply = await this.#http.send(request, images.count);
    const outcome = this.#http.outcome(reply, images.count, (answered) => this.#read(answered, images.count));
    return outcome.kind === 'answered' ? (this.#failedCall(reply as HttpReply, outcome) ?? outcome) : outcome;
  }

  async close(): Promise<void> {
    await this.#http.close();
  }

  async #body(images: ImageBatch): Promise<{ body: Uint8Array; contentType: string }> {
    const { format, body: template, field = DEFAULT_MULTIPART_FIELD, fields = {} } = this.#request;
    if (!this.#picture) {
      const tensors = nestedImages(encodeInput(this.#input, images), this.#input);
      return { body: Buffer.from(JSON.stringify(fill(template, tensors))), contentType: 'application/json' };
    }
    const files = await encodePictures(this.#input, this.#picture, images);
    const type = `image/${this.#picture.format}`;
    if (format === 'raw') return { body: files[0]!, contentType: type };
    if (format === 'base64') {
      const texts = files.map((file) => Buffer.from(file).toString('base64'));
      return { body: Buffer.from(JSON.stringify(fill(template, texts))), contentType: 'application/json' };
    }
    const form = new FormData();
    for (const [name, value] of Object.entries(fields)) form.append(name, value);
    files.forEach((file, index) => {
      form.append(field, new Blob([Buffer.from(file)], { type }), `${index}.${this.#picture!.format}`);
    });
    // The platform's own encoding of a form, as bytes: a body of known length is never sent in chunks.
    const encoded = new Response(form);
    const contentType = encoded.headers.get('content-type') ?? 'multipart/form-data';
    return { body: new Uint8Array(await encoded.arrayBuffer()), contentType };
  }

  #read(reply: HttpReply, count: number): ImageAnswer[] {
    const answer = reply.json();
    const items = this.#items ? this.#items(answer) : [answer];
    if (!Array.isArray(items) || items.length !== count) {
      const found = Array.isArray(items) ? `${items.length} parts` : 'no list';
      const where = this.config.response?.items ?? 'the top';
      return unreadable(count, `the answer has ${found} at ${where} for ${count} images: ${shownJson(answer)}`);
    }
    return items.map((item: unknown) => this.#readItem(item ?? null));
  }

  #readItem(item: unknown): ImageAnswer {
    const error = this.#error?.(item);
    if (isThere(error)) {
      const message = this.#http.redact(`the teacher says of this image: ${shownJson(error)}`);
      return { ok: false, code: ITEM_FAILED, message, charged: false, retryable: isThrottling(message) };
    }
    const raw = JSON.stringify(item ?? null);
    if (raw.length > MAX_RAW_CHARACTERS) {
      const message = `the answer about one image has ${raw.length} characters, more than ${MAX_RAW_CHARACTERS}`;
      return { ok: false, code: UNREADABLE, message, charged: true };
    }
    if (this.#isAbsent(raw)) {
      const where = this.config.response?.values ?? this.config.response?.labels;
      const message = this.#http.redact(`the answer has nothing at ${where}: ${shownJson(item)}`);
      return { ok: false, code: UNREADABLE, message, charged: true };
    }
    return { ok: true, raw };
  }

  /** Of another form altogether: not to be kept, as an answer of the declared form is even where it can't be used. */
  #isAbsent(raw: string): boolean {
    try {
      this.answer.readText?.(raw);
      return false;
    } catch (error) {
      return error instanceof AnswerAbsentError;
    }
  }

  /** Some APIs say that a call failed inside a 200. */
  #failedCall(reply: HttpReply, { limits }: Extract<QueryOutcome, { kind: 'answered' }>): QueryOutcome | undefined {
    if (!this.#callError) return undefined;
    let error: unknown;
    try {
      error = this.#callError(reply.json());
    } catch {
      return undefined;
    }
    if (!isThere(error)) return undefined;
    const message = this.#http.redact(`the teacher says in its answer: ${shownJson(error)}`);
    const wait = limits ? { limits } : {};
    return isThrottling(message)
      ? { kind: 'throttled', reason: 'rate', message, ...wait }
      : { kind: 'failed', message, ...wait };
  }
}

/** The template with the images in it. */
function fill(template: unknown, images: readonly unknown[]): unknown {
  const repeated = repeatedList(template);
  const visit = (node: unknown, image: unknown): unknown => {
    if (node === repeated && repeated) return images.map((each) => visit(repeated[0], each));
    if (typeof node === 'string') {
      if (node === IMAGE_PLACEHOLDER) return image;
      return typeof image === 'string' ? node.replaceAll(IMAGE_PLACEHOLDER, image) : node;
    }
    if (Array.isArray(node)) return node.map((part) => visit(part, image));
    if (node === null || typeof node !== 'object') return node;
    return Object.fromEntries(Object.entries(node).map(([key, part]) => [key, visit(part, image)]));
  };
  return visit(template, images[0]);
}

/** As JMESPath sees truth: null, false, and whatever is empty, isn't there. */
function isThere(value: unknown): boolean {
  if (value === null || value === undefined || value === false || value === '') return false;
  return typeof value !== 'object' || Object.keys(value).length > 0;
}
