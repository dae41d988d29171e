import { isAbsolute, resolve } from 'node:path';
import {
  ConfigError,
  KeyExistsError,
  NotFoundError,
  RevisionMismatchError,
  canonicalJson,
  decodeJson,
  encodeJson,
  isJsonObject,
} from '@bbdistill/common';
import type { StateStore } from '@bbdistill/common';
import { closest } from 'fastest-levenshtein';
import { z } from 'zod';
import { answerContradictions, answerSection, declaredKind } from './answer-config.js';
import { PICTURE_FORMATS, holdsImage, requestSection, responseSection, takesSeveral } from './http-json-config.js';
import type { RequestConfig as Request, ResponseConfig as Response } from './http-json-config.js';
import { PRESETS, PRESET_TABLE } from './presets.js';
import type { Preset } from './presets.js';
import { namesSecret } from './secret-names.js';

export const ADAPTERS = [
  'onnx',
  'open-inference-http',
  'open-inference-grpc',
  'tf-serving',
  'http-json',
  'fake',
] as const;
export type AdapterName = (typeof ADAPTERS)[number];

export const DEFAULT_IMAGES_PER_CALL = 64;
export const DEFAULT_CONCURRENCY = 4;
export const DEFAULT_CALL_TIMEOUT_MS = 30_000;
export const DEFAULT_QUEUE_TIMEOUT_MS = 3_600_000;
export const DEFAULT_CURRENCY = 'USD';
export const DEFAULT_AUTH_HEADER = 'Authorization';
export const DEFAULT_JPEG_QUALITY = 95;
/** A shard has no more images. */
export const MAX_IMAGES_PER_CALL = 1024;
export const MAX_CONCURRENCY = 1024;
const MICROS_PER_UNIT = 1_000_000;

const positive = z.number().positive();
const wholePositive = z.number().int().positive();

/** A number, or a fraction as text: `1/255` can't be written exactly as a decimal. */
const factor = z.union([
  z.number(),
  z
    .string()
    .regex(/^\d+(\.\d+)?\/\d+(\.\d+)?$/, 'is neither a number nor a fraction such as 1/255')
    .transform((text) => {
      const [numerator, denominator] = text.split('/').map(Number) as [number, number];
      return numerator / denominator;
    }),
]);
const perChannel = z.union([factor.transform((value) => [value]), z.array(factor).min(1).max(4)]);
const money = z.number().min(0).default(0).transform(toMicros);

const inputSection = z.strictObject({
  /** Name of the input tensor; read from the model where it isn't given. */
  name: z.string().min(1).optional(),
  /** Order of the axes; onnx: read from the model, else NHWC. */
  layout: z.enum(['NHWC', 'NCHW']).optional(),
  /** onnx: read from the model, else FP32. */
  datatype: z.enum(['FP32', 'FP16', 'UINT8', 'BYTES']).optional(),
  /** A pixel 0..255 times this is what the teacher gets, before mean and std; FP32 only. */
  scale: factor.default(1 / 255),
  mean: perChannel.default([0]),
  std: perChannel.default([1]),
  /** [height, width] that the teacher wants; images of another size are resized. */
  size: z.tuple([wholePositive, wholePositive]).optional(),
  /** 1 or 3; grey images are shown as RGB and the other way round. */
  channels: z.union([z.literal(1), z.literal(3)]).optional(),
  /** Where pictures are sent instead of numbers; default png, which loses nothing. */
  picture: z.enum(PICTURE_FORMATS).optional(),
  /** Of JPEG. */
  quality: wholePositive.max(100).default(DEFAULT_JPEG_QUALITY),
  /** open-inference-grpc: raw bytes, or the typed lists of the protocol. */
  contents: z.enum(['raw', 'typed']).optional(),
});

const authSection = z.strictObject({
  /** Of the HTTP and gRPC adapters; default {@link DEFAULT_AUTH_HEADER}. */
  header: z.string().min(1).optional(),
  /** Of the HTTP adapters, for what takes the secret nowhere else: the parameter of the address, instead of a header. */
  query: z.string().min(1).optional(),
  /** Written before the secret, e.g. `Bearer`. */
  scheme: z.string().min(1).optional(),
  /** Name of the environment variable that holds the secret. */
  env: z.string().min(1).optional(),
  /** File that holds the secret. */
  file: z.string().min(1).optional(),
});

const tlsSection = z.strictObject({
  /** PEM file of the authority that signed the teacher's certificate; default: the authorities that Node knows. */
  caFile: z.string().min(1).optional(),
  /** PEM files of the certificate that is shown to the teacher. */
  certFile: z.string().min(1).optional(),
  keyFile: z.string().min(1).optional(),
  /** The name in the teacher's certificate, where it isn't the host in url. */
  serverName: z.string().min(1).optional(),
});

const limitsSection = z.strictObject({
  imagesPerSecond: positive.optional(),
  imagesPerMinute: positive.optional(),
  imagesPerDay: positive.optional(),
  callsPerSecond: positive.optional(),
  callsPerMinute: positive.optional(),
  callsPerDay: positive.optional(),
  /** Images that may come at once where the teacher's bucket holds less than a second's worth. */
  burstImages: wholePositive.optional(),
  /** Of the images as they are sent, before the protocol's own form is put around them. */
  bytesPerCall: wholePositive.optional(),
  imagesPerCall: wholePositive.max(MAX_IMAGES_PER_CALL).default(DEFAULT_IMAGES_PER_CALL),
  /** Calls in flight at once. */
  concurrency: wholePositive.max(MAX_CONCURRENCY).default(DEFAULT_CONCURRENCY),
  /** After this a call counts as lost. */
  timeoutMs: wholePositive.default(DEFAULT_CALL_TIMEOUT_MS),
  /** How long a call waits for its turn before its work fails as unavailable. */
  queueTimeoutMs: wholePositive.default(DEFAULT_QUEUE_TIMEOUT_MS),
});

const priceSection = z.strictObject({
  perImage: money,
  perCall: money,
  /** Images that cost nothing, month by month (UTC). */
  freeImagesPerMonth: z.number().int().min(0).optional(),
  currency: z.string().min(1).max(8).default(DEFAULT_CURRENCY),
  /** Whether calls that the teacher fails on are charged. */
  billsFailures: z.boolean().default(false),
});

/** Ceilings over all runs; a run's own budget holds beside them. */
const budgetSection = z
  .strictObject({
    images: z.number().int().min(0).optional(),
    money: z.number().min(0).transform(toMicros).optional(),
    imagesPerMonth: z.number().int().min(0).optional(),
    moneyPerMonth: z.number().min(0).transform(toMicros).optional(),
    /** From which part of a budget on a warning is due. */
    warnAt: z.number().min(0).max(1).optional(),
  })
  .transform(({ money, moneyPerMonth, ...rest }) => ({
    ...rest,
    ...(money !== undefined && { moneyMicros: money }),
    ...(moneyPerMonth !== undefined && { moneyPerMonthMicros: moneyPerMonth }),
  }));

const fakeSection = z.strictObject({
  classes: wholePositive.max(10_000).default(10),
  latencyMs: z.number().min(0).default(0),
  /** Every n-th call fails; 0 = none. */
  failEvery: z.number().int().min(0).default(0),
  seed: z.number().int().min(0).default(1),
});

const tfServingSection = z.strictObject({
  /** instances: a row an image; inputs: one tensor. */
  format: z.enum(['instances', 'inputs']).default('instances'),
  /** Default serving_default. */
  signature: z.string().min(1).optional(),
  /** Instead of a version, e.g. stable. */
  versionLabel: z.string().min(1).optional(),
});

const teacherSection = z.strictObject({
  /** Which protocol the teacher speaks. */
  adapter: z.enum(ADAPTERS),
  /** Where it is: http(s)://host:port for HTTP, host:port or grpc(s)://host:port for gRPC. */
  url: z.string().min(1).optional(),
  /** The model file of the onnx adapter; relative to the configuration file. */
  path: z.string().min(1).optional(),
  model: z.string().min(1).optional(),
  version: z.union([z.string(), z.number().transform(String)]).default(''),
  input: inputSection.prefault({}),
  answer: answerSection.prefault({}),
  auth: authSection.optional(),
  /** Of https:// and grpcs://. */
  tls: tlsSection.optional(),
  limits: limitsSection.prefault({}),
  price: priceSection
    .prefault({})
    .transform(({ perImage, perCall, ...rest }) => ({ perImageMicros: perImage, perCallMicros: perCall, ...rest })),
  budget: budgetSection.optional(),
  /** Change it when the model behind the endpoint changes: cached answers are then asked anew. */
  cacheIdentity: z.string().min(1).optional(),
  /** http-json: the shape of a well-known API; request, response and answer may still change parts of it. */
  preset: z.enum(PRESETS).optional(),
  request: requestSection.optional(),
  response: responseSection.optional(),
  tfServing: tfServingSection.optional(),
  /** Of the fake adapter. */
  fake: fakeSection.optional(),
});

const teacherSchema = teacherSection.superRefine((teacher, context) => {
  const issue = (path: string, message: string) => context.addIssue({ code: 'custom', path: [path], message });
  const isHttp = HTTP_ADAPTERS.has(teacher.adapter);
  const isRemote = isHttp || teacher.adapter === 'open-inference-grpc';
  if (isRemote && !teacher.url) issue('url', `is missing: adapter ${teacher.adapter} needs the address of the server`);
  if (isRemote && !teacher.model && teacher.adapter !== 'http-json')
    issue('model', `is missing: adapter ${teacher.adapter} needs the model's name`);
  if (teacher.adapter === 'onnx' && !teacher.path) issue('path', 'is missing: adapter onnx needs a model file');
  if (teacher.path && teacher.adapter !== 'onnx') issue('path', `is only for adapter onnx, not ${teacher.adapter}`);
  if (teacher.fake && teacher.adapter !== 'fake') issue('fake', `is only for adapter fake, not ${teacher.adapter}`);
  if (teacher.auth && (teacher.auth.env === undefined) === (teacher.auth.file === undefined)) {
    issue('auth', 'needs exactly one of env and file (a secret is never written into the configuration)');
  }
  if (isHttp && teacher.url && !/^https?:\/\//.test(teacher.url)) {
    issue('url', `"${shownUrl(teacher.url)}" doesn't start with http:// or https://`);
  }
  if (teacher.adapter === 'open-inference-grpc' && /^https?:/.test(teacher.url ?? '')) {
    issue(
      'url',
      `"${shownUrl(teacher.url)}" is no gRPC address: write host:port, grpc://host:port or grpcs://host:port`,
    );
  }
  if (teacher.tls && !/^(https|grpcs):/.test(teacher.url ?? '')) {
    issue('tls', `needs a url of https:// or grpcs://, not ${shownUrl(teacher.url)}`);
  }
  if ((teacher.tls?.certFile === undefined) !== (teacher.tls?.keyFile === undefined)) {
    issue('tls', 'has only one of certFile and keyFile, which belong together: set both, or neither');
  }
  // What kind a model file answers in is found out when it is opened.
  const kind = teacher.adapter === 'onnx' ? teacher.answer.kind : declaredKind(teacher.answer);
  for (const [setting, message] of answerContradictions(teacher.answer, kind)) issue(`answer.${setting}`, message);
  for (const [setting, message] of contradictions(teacher)) issue(setting, message);
  for (const [setting, message] of secretFaults(teacher)) issue(setting, message);
});

type ParsedTeacher = z.output<typeof teacherSection>;

/** Settings of one adapter that are given to another, and settings that exclude one another, by name. */
function contradictions(teacher: ParsedTeacher): [setting: string, message: string][] {
  const { adapter, input, answer, request, response, tfServing } = teacher;
  const faults: [string, string][] = [];
  for (const setting of ['preset', 'request', 'response'] as const) {
    if (teacher[setting] && adapter !== 'http-json')
      faults.push([setting, `is only for adapter http-json, not ${adapter}`]);
  }
  if (tfServing && adapter !== 'tf-serving')
    faults.push(['tfServing', `is only for adapter tf-serving, not ${adapter}`]);
  if (tfServing?.versionLabel && teacher.version) {
    faults.push(['tfServing.versionLabel', 'contradicts version: name the version either way, not both']);
  }
  const isOpenInference = adapter === 'open-inference-http' || adapter === 'open-inference-grpc';
  if (answer.classification !== undefined && !isOpenInference) {
    faults.push(['answer.classification', `is only for the open-inference adapters, not ${adapter}`]);
  }
  if (answer.classification !== undefined && answer.kind && !['top-k', 'hard-label', 'logits'].includes(answer.kind)) {
    faults.push(['answer.classification', `gives the best few classes, which contradicts answer.kind ${answer.kind}`]);
  }
  if (input.contents && adapter !== 'open-inference-grpc') {
    faults.push(['input.contents', `is only for adapter open-inference-grpc, not ${adapter}`]);
  }
  if (input.contents === 'typed' && input.datatype === 'FP16') {
    faults.push([
      'input.contents',
      'typed contradicts input.datatype FP16, of which the protocol has raw contents only',
    ]);
  }
  if (input.datatype === 'BYTES' && (adapter === 'onnx' || adapter === 'fake' || adapter === 'http-json')) {
    faults.push(['input.datatype', `BYTES is not for adapter ${adapter}`]);
  }
  const sendsPictures = input.datatype === 'BYTES' || (adapter === 'http-json' && request?.format !== 'tensor');
  if (input.picture && !sendsPictures) {
    faults.push(['input.picture', 'needs input.datatype BYTES, or a request of pictures: numbers are sent otherwise']);
  }
  if (adapter === 'http-json') faults.push(...httpJsonFaults(request ?? {}, response ?? {}, teacher));
  return faults;
}

/** A secret that is written down, which would then be stored and shown; and settings of the secret that exclude one another. */
function secretFaults({ adapter, url = '', auth, request }: ParsedTeacher): [string, string][] {
  const faults: [string, string][] = [];
  if (/^\w+:\/\/[^/?#]*@/.test(url)) faults.push(['url', 'holds credentials: use auth.env or auth.file']);
  const isHttp = HTTP_ADAPTERS.has(adapter);
  const inUrl = parametersOf(url);
  for (const [setting, names] of [
    ['url', inUrl],
    ['request.fields', Object.keys(request?.fields ?? {})],
  ] as const) {
    for (const name of names.filter(namesSecret)) {
      const inHeader = 'auth: { header: NAME, env: VARIABLE }';
      const inAddress = `auth: { query: ${name}, env: VARIABLE }`;
      const instead = isHttp ? `${inAddress} or ${inHeader}` : inHeader;
      faults.push([setting, `has the parameter ${name}, which names a secret: leave it out, and write ${instead}`]);
    }
  }
  if (auth?.query === undefined) return faults;
  for (const setting of ['header', 'scheme'] as const) {
    if (auth[setting] === undefined) continue;
    faults.push([
      'auth.query',
      `contradicts auth.${setting}: a secret travels in the address or in a header, not both`,
    ]);
  }
  if (!isHttp) faults.push(['auth.query', `is only for the HTTP adapters, not ${adapter}: use auth.header`]);
  if (inUrl.includes(auth.query)) {
    faults.push(['auth.query', `contradicts url, which has the parameter ${auth.query} as well: leave it out there`]);
  }
  return faults;
}

/** Names of what follows the question mark. */
function parametersOf(url: string): string[] {
  return [...new URLSearchParams(/\?([^#]*)/.exec(url)?.[1] ?? '').keys()];
}

/** For messages: without what may be a secret. */
function shownUrl(url = 'none'): string {
  return url.replace(/\/\/[^/?#]*@/, '//…@').replace(/[?#].*$/s, '?…');
}

function httpJsonFaults(request: Request, response: Response, { limits, answer }: ParsedTeacher): [string, string][] {
  const faults: [string, string][] = [];
  const { format, body } = request;
  if (!format) faults.push(['request.format', 'is missing: say how images travel, or name a preset']);
  const isJson = format === 'base64' || format === 'tensor';
  if (isJson && !holdsImage(body)) {
    faults.push(['request.body', `has no "{{image}}": format ${format} needs a place for the image`]);
  }
  if (format && !isJson && body !== undefined) faults.push(['request.body', `is not for format ${format}`]);
  if (format !== 'multipart' && (request.field ?? request.fields) !== undefined) {
    faults.push(['request.field', 'is only for format multipart']);
  }
  for (const name of Object.keys(request.headers ?? {})) {
    if (/^(authorization|proxy-authorization|cookie)$|key|token|secret/i.test(name)) {
      faults.push(['request.headers', `holds ${name}: a secret belongs into auth.env or auth.file`]);
    }
  }
  if ((response.values === undefined) === (response.labels === undefined)) {
    faults.push(['response', 'needs exactly one of labels and values: say where the answer is, or name a preset']);
  }
  if (response.values !== undefined && response.scores !== undefined) {
    faults.push(['response.scores', 'contradicts response.values, which holds the scores itself']);
  }
  const kind = declaredKind(answer);
  if (response.labels !== undefined && response.scores === undefined && kind !== 'hard-label') {
    faults.push(['response.scores', `is missing: answer.kind ${kind} has scores; hard-label has none`]);
  }
  if (limits.imagesPerCall > 1 && format && !takesSeveral(request)) {
    faults.push([
      'limits.imagesPerCall',
      `is ${limits.imagesPerCall}, but such a request holds one image: set it to 1`,
    ]);
  } else if (limits.imagesPerCall > 1 && response.items === undefined) {
    faults.push([
      'response.items',
      'is missing: with several images in a call, say where the list of their answers is',
    ]);
  }
  return faults;
}

const HTTP_ADAPTERS = new Set<string>(['open-inference-http', 'tf-serving', 'http-json']);

/** What a preset says, below what the teacher itself declares; and one image a call where no more fit. */
function withPreset(value: unknown): unknown {
  if (!isJsonObject(value) || value.adapter !== 'http-json') return value;
  const preset = PRESET_TABLE[value.preset as keyof typeof PRESET_TABLE] as Preset | undefined;
  const merged = { ...value };
  for (const section of ['request', 'response', 'answer'] as const) {
    const own = value[section];
    if (own === undefined || isJsonObject(own)) merged[section] = { ...preset?.[section], ...own };
  }
  const { limits = {} } = value;
  const request = requestSection.safeParse(merged.request);
  if (isJsonObject(limits) && limits.imagesPerCall === undefined && request.success && !takesSeveral(request.data)) {
    merged.limits = { ...limits, imagesPerCall: 1 };
  }
  return merged;
}

/** A registered teacher, every default filled in. Plain JSON without secrets. */
export type TeacherConfig = z.output<typeof teacherSchema> & { name: string };
export type Limits = TeacherConfig['limits'];
export type Price = TeacherConfig['price'];
export type TeacherBudget = NonNullable<TeacherConfig['budget']>;
export type TlsConfig = NonNullable<TeacherConfig['tls']>;
export type AuthConfig = NonNullable<TeacherConfig['auth']>;
export type FakeConfig = NonNullable<TeacherConfig['fake']>;

const NAME_PATTERN = /^[a-z0-9][a-z0-9._-]{0,62}$/;

/**
 * One entry of the `teachers:` block.
 * @param baseFolder what relative paths are relative to
 * @throws ConfigError naming every fault at once
 */
export function parseTeacherConfig(name: string, value: unknown, baseFolder = '.'): TeacherConfig {
  if (!NAME_PATTERN.test(name)) {
    throw new ConfigError(
      `"${name}" can't be a teacher's name: use up to 63 lower-case letters, digits, dots, dashes and underscores`,
    );
  }
  const parsed = teacherSchema.safeParse(withPreset(value));
  if (!parsed.success) {
    const faults = parsed.error.issues.flatMap((issue) => describeIssue(`teachers.${name}`, issue));
    throw new ConfigError(faults.join('\n'));
  }
  const config: TeacherConfig = { ...parsed.data, name };
  if (config.path && !isAbsolute(config.path)) config.path = resolve(baseFolder, config.path);
  for (const setting of ['caFile', 'certFile', 'keyFile'] as const) {
    const path = config.tls?.[setting];
    if (config.tls && path !== undefined) config.tls[setting] = resolve(baseFolder, path);
  }
  if (config.auth?.file && !isAbsolute(config.auth.file)) config.auth.file = resolve(baseFolder, config.auth.file);
  return config;
}

/**
 * The whole `teachers:` block.
 * @throws ConfigError naming every fault at once
 */
export function parseTeachers(block: unknown, baseFolder = '.'): TeacherConfig[] {
  if (!isJsonObject(block)) {
    throw new ConfigError(
      'teachers is not a table of names, e.g. "teachers: { mine: { adapter: onnx, path: teacher.onnx } }"',
    );
  }
  const faults: string[] = [];
  const configs: TeacherConfig[] = [];
  for (const [name, value] of Object.entries(block)) {
    try {
      configs.push(parseTeacherConfig(name, value, baseFolder));
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      faults.push(error.message);
    }
  }
  if (faults.length > 0) throw new ConfigError(faults.join('\n'));
  return configs;
}

/** The teachers that the operator registered, kept in the state store so that a resumed run finds them. */
export class TeacherRegistry {
  constructor(private readonly state: StateStore) {}

  /** Adds the teacher or replaces its settings. */
  async register(config: TeacherConfig): Promise<void> {
    const value = encodeJson(config);
    for (;;) {
      try {
        const found = await this.state.get(keyOf(config.name));
        if (!found) await this.state.create(keyOf(config.name), value);
        else if (canonicalJson(decodeJson(found.value)) !== canonicalJson(config)) {
          await this.state.update(keyOf(config.name), value, found.revision);
        }
        return;
      } catch (error) {
        if (!(error instanceof RevisionMismatchError || error instanceof KeyExistsError)) throw error;
      }
    }
  }

  /** @throws NotFoundError naming the nearest known teacher */
  async get(name: string): Promise<TeacherConfig> {
    const entry = NAME_PATTERN.test(name) ? await this.state.get(keyOf(name)) : undefined;
    if (!entry) {
      const known = await this.names();
      const hint = known.length > 0 ? ` Registered are: ${known.join(', ')}.` : ' None is registered.';
      throw new NotFoundError(`no teacher "${name}" is registered.${hint}${didYouMean(name, known)}`, {
        code: 'TEACHER_NOT_FOUND',
      });
    }
    return decodeJson<TeacherConfig>(entry.value);
  }

  async names(): Promise<string[]> {
    const names: string[] = [];
    for await (const entry of this.state.list(KEY_PREFIX)) names.push(entry.key.slice(KEY_PREFIX.length));
    return names;
  }
}

const KEY_PREFIX = 'teachers/';
const keyOf = (name: string) => `${KEY_PREFIX}${name}`;

function toMicros(amount: number, context: z.core.$RefinementCtx<number>): number {
  const micros = Math.round(amount * MICROS_PER_UNIT);
  if (!Number.isSafeInteger(micros) || Math.abs(micros - amount * MICROS_PER_UNIT) > 1e-6 * Math.max(1, micros)) {
    context.addIssue({ code: 'custom', message: `${amount} is not a whole number of millionths`, input: amount });
    return z.NEVER;
  }
  return micros;
}

function describeIssue(root: string, issue: z.core.$ZodIssue): string[] {
  const path = [root, ...issue.path.map(String)].join('.');
  if (issue.code === 'unrecognized_keys') {
    const known = knownKeys(issue.path.map(String));
    return issue.keys.map((key) => `${path}.${key} is not known.${didYouMean(key, known)}`);
  }
  return [`${path} ${issue.message}`];
}

const SECTIONS: Record<string, z.ZodObject> = {
  '': teacherSection,
  input: inputSection,
  answer: answerSection,
  auth: authSection,
  tls: tlsSection,
  limits: limitsSection,
  price: priceSection,
  request: requestSection,
  response: responseSection,
  tfServing: tfServingSection,
  fake: fakeSection,
};

function knownKeys(path: readonly string[]): string[] {
  return Object.keys(SECTIONS[path.join('.')]?.shape ?? {});
}

/** ` Did you mean "x"?`, or nothing where no name is near. */
export function didYouMean(name: string, known: readonly string[]): string {
  return known.length > 0 ? ` Did you mean "${closest(name, known)}"?` : '';
}
