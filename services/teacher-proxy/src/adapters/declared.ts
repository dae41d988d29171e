import { readFileSync } from 'node:fs';
import { ConfigError, holdSecret } from '@bbdistill/common';
import { encodeInput } from '../input.js';
import type { InputForm } from '../input.js';
import type { ImageBatch } from '@bbdistill/common';
import { answerForm } from '../answer-config.js';
import type { AuthConfig, TeacherConfig } from '../registry.js';
import type { AnswerForm, CanonicalRequests } from '../teacher.js';

/** Variables by name, injected: `process.env` or a test's own. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The input as declared; what isn't, is NHWC and FP32. */
export function declaredInput(config: TeacherConfig, found: Partial<InputForm> = {}): InputForm {
  const { layout, datatype, scale, mean, std, size, channels } = config.input;
  return {
    ...found,
    layout: layout ?? found.layout ?? 'NHWC',
    datatype: datatype ?? found.datatype ?? 'FP32',
    scale,
    mean,
    std,
    ...(size && { size: { height: size[0], width: size[1] } }),
    ...(channels && { channels }),
  };
}

/** The answer as declared; what isn't, is probabilities. */
export function declaredAnswer(config: TeacherConfig, readText?: AnswerForm['readText']): AnswerForm {
  const form = answerForm(config.answer, config.answer.kind ?? 'probabilities');
  return { ...form, ...(readText && { readText }) };
}

/** What the cache keys answers by, unless the operator declared something else. */
export function identityOf(config: TeacherConfig): string {
  return config.cacheIdentity ?? [config.adapter, config.url ?? '', config.model ?? '', config.version].join('|');
}

/** The canonical request of a tensor protocol. */
export function canonicalTensors(config: TeacherConfig, form: InputForm, images: ImageBatch): CanonicalRequests {
  const { dims, bytes, bytesPerImage } = encodeInput(form, images);
  const header = JSON.stringify({
    datatype: form.datatype,
    shape: dims.slice(1),
    model: config.model ?? '',
    input: config.input.name ?? '',
    output: config.answer.output ?? '',
  });
  return { header, bytes, bytesPerImage };
}

/**
 * Header and value that authenticate a call; read anew each time, so that a renewed secret counts at once.
 * @throws ConfigError where the secret isn't there
 */
export function authHeader(auth: AuthConfig | undefined, env: Environment): [string, string] | undefined {
  if (!auth) return undefined;
  const secret = readSecret(auth, env);
  holdSecret(secret);
  return [auth.header, auth.scheme ? `${auth.scheme} ${secret}` : secret];
}

function readSecret(auth: AuthConfig, env: Environment): string {
  if (auth.env !== undefined) {
    const value = env[auth.env];
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
