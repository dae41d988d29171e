import { readFileSync } from 'node:fs';
import { ConfigError, holdSecret } from '@bbdistill/common';
import { encodeInput } from '../input.js';
import type { InputForm } from '../input.js';
import type { ImageBatch } from '@bbdistill/common';
import { answerForm, declaredKind } from '../answer-config.js';
import { DEFAULT_AUTH_HEADER } from '../registry.js';
import type { AuthConfig, TeacherConfig } from '../registry.js';
import type { AnswerForm, CanonicalRequests } from '../teacher.js';
import { stringsReader } from './json-answer.js';
import { canonicalPictures } from './pictures.js';
import type { PictureForm } from './pictures.js';

/** Lossless. */
export const DEFAULT_PICTURE = 'png';

/** Variables by name, injected: `process.env` or a test's own. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The input as declared; what isn't, is NHWC and FP32. */
export function declaredInput(config: TeacherConfig, found: Partial<InputForm> = {}): InputForm {
  const { layout, datatype, scale, mean, std, size, channels } = config.input;
  return {
    ...found,
    layout: layout ?? found.layout ?? 'NHWC',
    // Pictures are made of plain pixels.
    datatype: datatype === 'BYTES' ? 'UINT8' : (datatype ?? found.datatype ?? 'FP32'),
    scale,
    mean,
    std,
    ...(size && { size: { height: size[0], width: size[1] } }),
    ...(channels && { channels }),
  };
}

/** The answer as declared. */
export function declaredAnswer({ answer }: TeacherConfig, readText?: AnswerForm['readText']): AnswerForm {
  return { ...answerForm(answer, declaredKind(answer)), ...(readText && { readText }) };
}

/** What the cache keys answers by, unless the operator declared something else. */
export function identityOf(config: TeacherConfig): string {
  return config.cacheIdentity ?? [config.adapter, config.url ?? '', config.model ?? '', config.version].join('|');
}

/** How images become picture files, where the input takes bytes instead of numbers. */
export function pictureOf({ input }: TeacherConfig): PictureForm | undefined {
  if (input.datatype !== 'BYTES') return undefined;
  return { format: input.picture ?? DEFAULT_PICTURE, quality: input.quality };
}

/** The answer of a tensor protocol: numbers, or strings. */
export function tensorAnswer(config: TeacherConfig): AnswerForm {
  return declaredAnswer(config, stringsReader(config.answer.classification !== undefined));
}

/** The canonical request of a tensor protocol. */
export function canonicalInput(config: TeacherConfig, form: InputForm, images: ImageBatch): CanonicalRequests {
  const { classification } = config.answer;
  const about = {
    model: config.model ?? '',
    input: config.input.name ?? '',
    output: config.answer.output ?? '',
    ...(classification !== undefined && { classification }),
  };
  const picture = pictureOf(config);
  if (picture) return canonicalPictures(form, picture, about, images);
  const { dims, bytes, bytesPerImage } = encodeInput(form, images);
  const header = JSON.stringify({ datatype: form.datatype, shape: dims.slice(1), ...about });
  return { header, bytes, bytesPerImage };
}

/**
 * Header and value that authenticate a call; read anew each time, so that a renewed secret counts at once.
 * @returns undefined where there is no secret, or {@link authenticatedUrl} carries it
 * @throws ConfigError where the secret isn't there
 */
export function authHeader(auth: AuthConfig | undefined, env: Environment): [string, string] | undefined {
  if (!auth || auth.query !== undefined) return undefined;
  const secret = usableSecret(auth, env);
  return [auth.header ?? DEFAULT_AUTH_HEADER, auth.scheme ? `${auth.scheme} ${secret}` : secret];
}

/**
 * The address of a call, with the secret where `auth.query` names a parameter for it. To be sent only: neither kept nor
 * shown.
 * @throws ConfigError where the secret isn't there
 */
export function authenticatedUrl(url: string, auth: AuthConfig | undefined, env: Environment): string {
  if (auth?.query === undefined) return url;
  const address = new URL(url);
  // One of the spellings that are redacted; the parameters that are there stay as they were written.
  const parameter = new URLSearchParams([[auth.query, usableSecret(auth, env)]]).toString();
  address.search = address.search === '' ? parameter : `${address.search}&${parameter}`;
  return address.href;
}

function usableSecret(auth: AuthConfig, env: Environment): string {
  const secret = readSecret(auth, env);
  // The HTTP client would refuse it with a message that shows it.
  if (/[^\x20-\x7e]/.test(secret)) {
    const where = auth.env === undefined ? `file ${auth.file}` : `environment variable ${auth.env}`;
    throw new ConfigError(`the secret in the ${where} holds characters that can't be sent, e.g. a line break`, {
      code: 'SECRET_UNUSABLE',
    });
  }
  holdSecret(secret);
  return secret;
}

function readSecret(auth: AuthConfig, env: Environment): string {
  if (auth.env !== undefined) {
    const value = env[auth.env]?.trim();
    if (value) return value;
    throw new ConfigError(`the environment variable ${auth.env}, which should hold the teacher's secret, is not set`, {
      code: 'SECRET_MISSING',
    });
  }
  try {
    return readFileSync(auth.file ?? '', 'utf8').trim();
  } catch (cause) {
    throw new ConfigError(`the file ${auth.file}, which should hold the teacher's secret, can't be read`, {
      code: 'SECRET_MISSING',
      cause,
    });
  }
}
