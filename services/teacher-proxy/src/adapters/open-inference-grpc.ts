import { BbdError, asBbdError, connect, defined } from '@bbdistill/common';
import type { ImageBatch, ResponseReadOf, ServiceClient } from '@bbdistill/common';
import { encodeInput, encodedValues } from '../input.js';
import type { InputForm } from '../input.js';
import type { TeacherConfig } from '../registry.js';
import { TEACHER_AUTH, TEACHER_TLS } from '../teacher.js';
import type { AnswerForm, CanonicalRequests, QueryOutcome, Teacher, TeacherFacts } from '../teacher.js';
import { authHeader, canonicalInput, declaredInput, identityOf, pictureOf, tensorAnswer } from './declared.js';
import type { Environment } from './declared.js';
import { brokeBehindGateway, gatewayFailure, tooLarge } from './http-failures.js';
import { boundedWaitMs } from './limit-headers.js';
import { encodePictures } from './pictures.js';
import { answerRows, answerStrings, readByteStrings, readRaw, unreadable, writeByteStrings } from './rows.js';
import { isTlsReason, tlsAdvice } from './teacher-tls.js';
import { imageShapeOf, pick } from './tensor-metadata.js';
import { unpaid } from './unpaid.js';

const SERVICE = 'inference.GRPCInferenceService';
/** Where a message is too large, the limit tells a reply from a request: so it is one that no server has. */
const MAX_REPLY_BYTES = 64 * 1024 * 1024 + 1;

type InferResponse = ResponseReadOf<typeof SERVICE, 'ModelInfer'>;
type OutputTensor = InferResponse['outputs'][number];
type ModelMetadata = ResponseReadOf<typeof SERVICE, 'ModelMetadata'>;

interface Found {
  inputName: string;
  /** Axes of the input tensor; 0 where the server doesn't say. */
  inputAxes: number;
  outputName: string | undefined;
}

interface SentTensor {
  datatype: string;
  shape: number[];
  raw?: Uint8Array;
  contents?: { fp32Contents?: number[]; uintContents?: number[]; bytesContents?: Uint8Array[] };
}

/** The Open Inference Protocol v2 over gRPC: sends raw or typed contents, takes either. */
export class OpenInferenceGrpcTeacher implements Teacher {
  readonly cacheIdentity: string;
  readonly answer: AnswerForm;
  readonly #input: InputForm;
  readonly #address: string;
  readonly #client: ServiceClient<typeof SERVICE>;
  #found: Found | undefined;

  constructor(
    private readonly config: TeacherConfig,
    private readonly env: Environment,
  ) {
    this.cacheIdentity = identityOf(config);
    this.answer = tensorAnswer(config);
    this.#input = declaredInput(config);
    this.#address = (config.url ?? '').replace(/^grpcs?:\/\//, '');
    this.#client = connect(SERVICE, this.#address, {
      maxMessageBytes: MAX_REPLY_BYTES,
      ...(config.url?.startsWith('grpcs://') && { tls: defined(config.tls ?? {}) }),
    });
  }

  async describe(signal: AbortSignal): Promise<TeacherFacts> {
    const facts = { adapter: this.config.adapter, endpoint: this.#address };
    try {
      const { inputs, outputs } = await this.#metadata(signal);
      const classes = pick(outputs, this.config.answer.output)?.shape.at(-1) ?? -1;
      const dims = pick(inputs, this.config.input.name)?.shape ?? [];
      const shape = imageShapeOf(dims, this.#input.layout);
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
    let found: Found;
    try {
      found = await this.#findOut(signal);
    } catch (error) {
      // Metadata costs nothing: what broke here was never charged.
      return unpaid(outcomeOf(error, this.#address));
    }
    const { datatype, shape, raw, contents } = await this.#tensor(images, found);
    const { classification } = this.config.answer;
    const parameters = classification === undefined ? {} : { classification: { int64Param: classification } };
    try {
      const response = await this.#client.unary(
        'ModelInfer',
        {
          modelName: this.config.model ?? '',
          modelVersion: this.config.version,
          inputs: [{ name: found.inputName, datatype, shape, ...(contents && { contents }) }],
          outputs: found.outputName ? [{ name: found.outputName, parameters }] : [],
          rawInputContents: raw ? [raw] : [],
        },
        this.#options(signal),
      );
      return { kind: 'answered', answers: this.#read(response, images.count) };
    } catch (error) {
      return outcomeOf(error, this.#address);
    }
  }

  async close(): Promise<void> {
    this.#client.close();
  }

  #read(response: InferResponse, count: number) {
    const { outputs, rawOutputContents } = response;
    const wanted = pick(outputs, this.config.answer.output);
    if (!wanted) {
      const names = outputs.map(({ name }) => name).join(', ') || 'none';
      return unreadable(count, `the answer's outputs are: ${names}; set answer.output to one of them`);
    }
    const raw = rawOutputContents[outputs.indexOf(wanted)];
    const values = wanted.datatype === 'BYTES' ? stringsOf(wanted, raw) : numbersOf(wanted, raw);
    if (!values) return unreadable(count, `output "${wanted.name}" of datatype ${wanted.datatype} can't be read`);
    return values instanceof Float32Array
      ? answerRows(values, count, wanted.shape)
      : answerStrings(values, count, wanted.shape);
  }

  /** The images as raw contents, or as typed ones where that is declared. */
  async #tensor(images: ImageBatch, { inputAxes }: Found): Promise<SentTensor> {
    const isTyped = this.config.input.contents === 'typed';
    const picture = pictureOf(this.config);
    if (picture) {
      const files = await encodePictures(this.#input, picture, images);
      const shape = inputAxes === 2 ? [images.count, 1] : [images.count];
      const sent = isTyped ? { contents: { bytesContents: files } } : { raw: writeByteStrings(files) };
      return { datatype: 'BYTES', shape, ...sent };
    }
    const { datatype } = this.#input;
    const encoded = encodeInput(this.#input, images);
    const tensor = { datatype, shape: [...encoded.dims] };
    if (!isTyped) return { ...tensor, raw: encoded.bytes };
    const values = encodedValues(encoded, datatype);
    return { ...tensor, contents: datatype === 'UINT8' ? { uintContents: values } : { fp32Contents: values } };
  }

  async #findOut(signal: AbortSignal): Promise<Found> {
    if (this.#found) return this.#found;
    let inputName = this.config.input.name;
    let inputAxes = 0;
    let outputName = this.config.answer.output;
    if (!inputName || !outputName || pictureOf(this.config)) {
      const metadata = await this.#metadata(signal).catch((error: unknown) => {
        if (inputName && asBbdError(error).kind === 'unimplemented') return undefined;
        throw error;
      });
      const input = pick(metadata?.inputs ?? [], inputName);
      inputName ??= input?.name;
      inputAxes = input?.shape.length ?? 0;
      outputName ??= pick(metadata?.outputs ?? [], undefined)?.name;
    }
    if (!inputName) {
      throw new BbdError(
        'invalid-argument',
        `model "${this.config.model}" doesn't say what its only input is called: set input.name`,
        { code: 'INPUT_UNKNOWN' },
      );
    }
    return (this.#found = { inputName, inputAxes, outputName });
  }

  #metadata(signal: AbortSignal): Promise<ModelMetadata> {
    const request = { name: this.config.model ?? '', version: this.config.version };
    return this.#client.unary('ModelMetadata', request, this.#options(signal));
  }

  #options(signal: AbortSignal) {
    const auth = authHeader(this.config.auth, this.env);
    return {
      signal,
      // The signal is the timeout; the deadline only has to be no shorter.
      timeoutMs: 2 * this.config.limits.timeoutMs,
      ...(auth && { metadata: { [auth[0].toLowerCase()]: auth[1] } }),
    };
  }
}

function numbersOf(tensor: OutputTensor, raw: Uint8Array | undefined): Float32Array | undefined {
  if (raw) return readRaw(raw, tensor.datatype);
  if (!tensor.contents) return undefined;
  const { fp32Contents, fp64Contents, intContents, int64Contents, uintContents, uint64Contents, boolContents } =
    tensor.contents;
  const lists: (readonly (number | boolean)[])[] = [
    fp32Contents,
    fp64Contents,
    intContents,
    int64Contents,
    uintContents,
    uint64Contents,
    boolContents,
  ];
  const filled = lists.find((values) => values.length > 0);
  return filled && Float32Array.from(filled, Number);
}

function stringsOf({ contents }: OutputTensor, raw: Uint8Array | undefined): string[] | undefined {
  const elements = raw ? readByteStrings(raw) : contents?.bytesContents;
  return elements?.map((element) => Buffer.from(element).toString());
}

/** grpc-js's own words for a call that never left. */
const NEVER_LEFT = /No connection established|Name resolution failed|Stream refused by server/i;
/** And for a connection that broke under a call. */
const BROKE_OFF =
  /Connection dropped|ECONNRESET|EPIPE|ETIMEDOUT|RST_STREAM|GOAWAY|session has been destroyed|Stream (ended|removed)/i;
/** What grpc-js says of a gateway that answers in plain HTTP. */
const PLAIN_HTTP = /Received HTTP status code (\d+)/;
/** A message that is too large, in the words of gRPC in C++ and Python, Go, JavaScript, Java, .NET and Rust. */
const BEYOND_LIMIT =
  /larger than max|decompresses to a size larger than|exceeds maximum size \d|exceeds the maximum configured message size|message length too large/i;
/** Of a reply, as only our own side knows this limit. */
const BEYOND_OURS = new RegExp(`(?:vs\\.?|larger than) ${MAX_REPLY_BYTES}\\b`);
/** And of an answer on its way here: of the server, which had worked it out and may not send it, or of one that it asks itself. */
const IS_ANSWER = /\b(?:sent|send|sending) message|\bencoded message|CLIENT: /i;

/** What a failed call says about the bill. Where it isn't sure that the teacher did nothing, it is `lost`. */
function outcomeOf(thrown: unknown, address: string): Exclude<QueryOutcome, { kind: 'answered' }> {
  const error = asBbdError(thrown);
  const message = `${address}: ${error.message}`;
  const wait = error.retryAfterMs === undefined ? {} : { retryAfterMs: boundedWaitMs(error.retryAfterMs) };
  if (NEVER_LEFT.test(error.message) && isTlsReason(error.message)) {
    const advice = `${tlsAdvice(error.message)} (nothing was charged)`;
    return {
      kind: 'refused',
      code: TEACHER_TLS,
      message: `no secure connection to ${message}; ${advice}`,
      sent: false,
    };
  }
  if (NEVER_LEFT.test(error.message)) return { kind: 'unreachable', message, cause: thrown };
  if (BEYOND_LIMIT.test(error.message)) {
    const isAnswer = BEYOND_OURS.test(error.message) || IS_ANSWER.test(error.message);
    return isAnswer ? { kind: 'lost', message, cause: thrown } : tooLarge(message);
  }
  const httpStatus = Number(PLAIN_HTTP.exec(error.message)?.[1]);
  if (httpStatus === 413) return tooLarge(message);
  const brokeOff = BROKE_OFF.test(error.message) || brokeBehindGateway(error.message);
  const ofGateway = brokeOff ? 'lost' : gatewayFailure(httpStatus);
  if (ofGateway) return { kind: ofGateway, message, cause: thrown };
  switch (error.kind) {
    case 'unavailable':
      return { kind: 'throttled', reason: 'overloaded', message, ...wait };
    case 'resource-exhausted':
      return { kind: 'throttled', reason: 'rate', message, ...wait };
    case 'unauthenticated':
    case 'permission-denied':
      return {
        kind: 'refused',
        code: TEACHER_AUTH,
        message: `${message} (renew the secret that auth names, then resume)`,
      };
    case 'cancelled':
    case 'deadline-exceeded':
      return { kind: 'lost', message: `${address} gave no answer in time; it may have been charged`, cause: thrown };
    case 'internal':
    case 'data-loss':
    case 'conflict':
      return { kind: 'failed', message, ...wait };
    default:
      return { kind: 'refused', code: error.code, message };
  }
}
