import { readFile } from 'node:fs/promises';
import { dirname, extname, isAbsolute, resolve } from 'node:path';
import { ConfigError, isJsonObject } from '@bbdistill/common';
import { ENGINE_NAMES, GPU_WISHES, MAX_TRAINING_THREADS, SCHEDULES } from '@bbdistill/compute';
import { RECIPE_NAMES } from '@bbdistill/student-trainer';
import { parseTeachers } from '@bbdistill/teacher-proxy';
import type { TeacherConfig } from '@bbdistill/teacher-proxy';
import { closest } from 'fastest-levenshtein';
import { parse as parseYaml } from 'yaml';
import { z } from 'zod';
import { ALPHA_WISHES, IMAGE_CHANNELS, IMAGE_FORMATS, IMAGE_LAYOUTS, MAX_SIDE } from './images/index.js';

export const DEFAULT_SYNTHETIC_IMAGES = 24_000;
export const DEFAULT_NETWORK = 'lenet5-half';
export const DEFAULT_OUTPUT_FOLDER = './out';
const MAX_RUN_FILE_BYTES = 1 << 20;

const natural = z.number().int().min(0);
const positive = z.number().int().min(1);
const share = z.number().min(0);
const side = z.number().int().min(1).max(MAX_SIDE);

const imagesSection = z.strictObject({
  path: z.string().min(1),
  format: z.enum(IMAGE_FORMATS).default('auto'),
  limit: positive.optional(),
  resize: z.strictObject({ height: side, width: side }).optional(),
  channels: z.literal(IMAGE_CHANNELS).optional(),
  skipBad: z.boolean().default(false),
  /** What lies behind translucent pixels; default: they are refused. */
  alpha: z.enum(ALPHA_WISHES).optional(),
  /** Axis order of a four-axis NPY, where sizes alone don't tell. */
  layout: z.enum(IMAGE_LAYOUTS).optional(),
});

const testSection = z.strictObject({
  ...imagesSection.shape,
  /** `none`, `folder` (one folder a class), `auto` (whatever comes with the images) or a file of labels. */
  labels: z.string().min(1).default('auto'),
});

const sourceSection = z.strictObject({
  flip: z.boolean().optional(),
  rotationDegrees: z.number().min(0).max(180).optional(),
  shift: z.number().min(0).max(1).optional(),
  scale: z.number().min(0).max(0.9).optional(),
});

const synthesisSection = z.strictObject({
  images: natural.default(DEFAULT_SYNTHETIC_IMAGES),
  mixupAlpha: z.number().positive().optional(),
  dropBelow: z.number().min(0).max(0.49).optional(),
  shares: z
    .strictObject({
      mixup: share.default(0),
      cutmix: share.default(0),
      augmented: share.default(0),
      cvae: share.default(0),
    })
    .optional(),
  source: sourceSection.optional(),
  cvae: z
    .strictObject({
      architecture: z.enum(['auto', 'dense', 'convolutional']).optional(),
      epochs: positive.optional(),
      batch: positive.optional(),
      latent: positive.optional(),
      learningRate: z.number().positive().optional(),
    })
    .optional(),
});

const studentSettings = z.strictObject({
  network: z.string().min(1).optional(),
  /** A network of the user's own: the path of a tfjs model.json, of which the weights are left behind. */
  topology: z.string().min(1).optional(),
  recipe: z.enum(RECIPE_NAMES).default('best'),
  epochs: positive.optional(),
  batch: positive.optional(),
  schedule: z.enum(SCHEDULES).optional(),
  learningRate: z.number().positive().optional(),
  batchMixupAlpha: z.number().min(0).optional(),
  rotationDegrees: z.number().min(0).max(180).optional(),
  shift: z.number().min(0).max(1).optional(),
  flip: z.boolean().optional(),
  balance: z.number().min(0).max(1).optional(),
  temperature: z.number().positive().optional(),
  weightDecay: z.number().min(0).optional(),
  /** The student is the running average of its weights; 0 = the last weights. */
  emaDecay: z.number().min(0).lt(1).optional(),
});

const studentSection = studentSettings
  .refine(({ network, topology }) => network === undefined || topology === undefined, {
    error: 'network and topology are both given: leave one out',
  })
  .transform((student) => ({ ...student, network: student.network ?? (student.topology ? '' : DEFAULT_NETWORK) }));

const runSection = z.strictObject({
  name: z.string().min(1).optional(),
  teacher: z.string().min(1).optional(),
  images: imagesSection,
  test: testSection.optional(),
  classes: positive,
  classNames: z.array(z.string()).optional(),
  synthesis: synthesisSection.prefault({}),
  student: studentSection.prefault({}),
  evaluation: z
    .strictObject({
      /** Test images that the teacher is asked about. */
      teacherImages: natural.default(0),
      /** Given images that the student doesn't learn from and the teacher is asked about, where there are no test images. */
      holdOut: natural.default(0),
      standardKd: z.boolean().default(false),
    })
    .refine(({ teacherImages, holdOut }) => teacherImages === 0 || holdOut === 0, {
      error: 'teacherImages and holdOut are both given: the teacher is asked about all that is held out, leave one out',
    })
    .prefault({}),
  budget: z.strictObject({ images: natural.optional(), money: z.number().min(0).optional() }).prefault({}),
  engine: z.enum(ENGINE_NAMES).default('auto'),
  gpu: z.enum(GPU_WISHES).default('preferred'),
  /** That share every batch of the training; default: one, or as the remote trainer is set. */
  threads: positive.max(MAX_TRAINING_THREADS).optional(),
  /** Train while answers still come; another student than without, but the same one every time. */
  overlap: z.boolean().default(false),
  seed: natural.default(1),
  out: z.string().min(1).default(DEFAULT_OUTPUT_FOLDER),
});

const runBlock = runSection.refine(({ test, evaluation }) => !test || evaluation.holdOut === 0, {
  path: ['evaluation', 'holdOut'],
  error: 'run.test is given as well: images are held out where there are no others to measure by, leave one out',
});

const teachersBlock = z.record(z.string(), z.unknown());
const fileSchema = z.strictObject({ teachers: teachersBlock.optional(), run: runBlock });
const teachersOnlySchema = z.strictObject({ teachers: teachersBlock });

/** What a user's file and flags say, every default filled in but those that a recipe gives. */
export type RunSettings = z.output<typeof runSection> & { name: string; teacher: string };
export type ImagesSettings = z.output<typeof imagesSection>;
export type TestSettings = z.output<typeof testSection>;

export interface RunFile {
  run: RunSettings;
  teachers: TeacherConfig[];
  /** What relative paths are relative to. */
  baseFolder: string;
}

/** A setting as a flag: `run.student.network` and its text. */
export type Override = readonly [path: string, text: string];

/**
 * Reads a YAML file and lays flags over it.
 * @param path absent: the flags are all there is
 * @throws ConfigError naming every fault at once, unknown keys with the nearest known one
 */
export async function readRunFile(path: string | undefined, overrides: readonly Override[]): Promise<RunFile> {
  return runFileOf(path === undefined ? {} : await readYaml(path), path, overrides);
}

function runFileOf(
  document: Record<string, unknown>,
  path: string | undefined,
  overrides: readonly Override[],
): RunFile {
  const baseFolder = path === undefined ? process.cwd() : dirname(resolve(path));
  for (const [key, text] of overrides) setAt(document, key, text);
  const { run, teachers: block = {} } = parseBy(fileSchema, document);
  const teachers = parseTeachers(block, baseFolder);
  const name = run.name ?? (path === undefined ? 'run' : nameOf(path));
  return { run: { ...run, name, teacher: teacherOf(run.teacher, teachers) }, teachers, baseFolder };
}

/**
 * As {@link readRunFile}, or the teachers of a file that says nothing of a run, as operators of services have it.
 * @throws ConfigError
 */
export async function readSettings(
  path: string,
  overrides: readonly Override[],
): Promise<Omit<RunFile, 'run'> & Partial<RunFile>> {
  const document = await readYaml(path);
  const isOfRun = 'run' in document || !('teachers' in document) || overrides.some(([key]) => key.startsWith('run.'));
  if (isOfRun) return runFileOf(document, path, overrides);
  for (const [key, text] of overrides) setAt(document, key, text);
  const baseFolder = dirname(resolve(path));
  return { teachers: parseTeachers(parseBy(teachersOnlySchema, document).teachers, baseFolder), baseFolder };
}

/**
 * Settings that a command writes itself, with the defaults of a file.
 * @throws ConfigError
 */
export function settingsFrom(run: z.input<typeof runSection> & { name: string; teacher: string }): RunSettings {
  return { ...parseBy(runBlock, run), name: run.name, teacher: run.teacher };
}

/** A path of a run file as the user means it. */
export function pathIn(baseFolder: string, path: string): string {
  return isAbsolute(path) ? path : resolve(baseFolder, path);
}

function teacherOf(named: string | undefined, teachers: readonly TeacherConfig[]): string {
  if (named !== undefined) return named;
  if (teachers.length === 1) return teachers[0]!.name;
  throw new ConfigError(
    teachers.length === 0
      ? 'run.teacher is missing: name a registered teacher, or describe one in the teachers block'
      : `run.teacher is missing and there are several: name one of ${teachers.map(({ name }) => name).join(', ')}`,
  );
}

function nameOf(path: string): string {
  const stem = path
    .slice(Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\')) + 1)
    .slice(0, -extname(path).length || undefined);
  return stem.replaceAll(/[^\p{L}\p{N} ._+-]/gu, '-').replace(/^[^\p{L}\p{N}]+/u, '') || 'run';
}

async function readYaml(path: string): Promise<Record<string, unknown>> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw new ConfigError(`cannot read ${path}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
  if (text.length > MAX_RUN_FILE_BYTES) throw new ConfigError(`${path} has more than ${MAX_RUN_FILE_BYTES} characters`);
  let document: unknown;
  try {
    document = parseYaml(text, { maxAliasCount: 100 });
  } catch (cause) {
    throw new ConfigError(`${path} is not YAML: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
  if (!isJsonObject(document)) {
    throw new ConfigError(`${path} holds no settings: write a "teachers:" and a "run:" block`);
  }
  return document;
}

function setAt(document: Record<string, unknown>, path: string, text: string): void {
  const keys = path.split('.');
  if (keys.some((key) => key === '__proto__' || key === 'constructor' || key === 'prototype')) {
    throw new ConfigError(`--${path} is no setting`);
  }
  let table = document;
  for (const key of keys.slice(0, -1)) {
    const next = table[key];
    if (next === undefined || next === null) table[key] = {};
    else if (typeof next !== 'object') throw new ConfigError(`--${path}: ${key} is a value, not a block`);
    table = table[key] as Record<string, unknown>;
  }
  if (isText(fileSchema, keys)) {
    table[keys.at(-1)!] = text;
    return;
  }
  try {
    // YAML reads numbers, true and lists as a file would have them.
    table[keys.at(-1)!] = parseYaml(text) as unknown;
  } catch (cause) {
    const [reason] = (cause as Error).message.split('\n');
    throw new ConfigError(`--${path} ${text} is not YAML (${reason}): put it into quotes, '"${text}"'`, { cause });
  }
}

/** @throws ConfigError naming every fault at once */
function parseBy<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const parsed = schema.safeParse(value, { reportInput: true });
  if (parsed.success) return parsed.data;
  throw new ConfigError(parsed.error.issues.flatMap((issue) => describeIssue(issue)).join('\n'));
}

function describeIssue(issue: z.core.$ZodIssue): string[] {
  const path = issue.path.map(String);
  if (issue.code === 'unrecognized_keys') {
    const known = knownKeys(fileSchema, path);
    return issue.keys.map((key) => {
      const hint = known.length > 0 ? ` Did you mean "${closest(key, known)}"?` : '';
      return `${[...path, key].join('.')} is not known.${hint}`;
    });
  }
  const where = path.join('.') || 'the file';
  const { input } = issue;
  if (input === undefined) return [`${where} is missing`];
  const shown = input === null || typeof input === 'object' ? '' : ` is ${JSON.stringify(input)}`;
  return [`${where}${shown}: ${issue.message}`];
}

/** A flag's text needs no quotes to be text: `--run.name 123` is a name. */
function isText(schema: unknown, path: readonly string[]): boolean {
  return unwrapped(schemaAt(schema, path))?.def?.type === 'string';
}

function knownKeys(schema: unknown, path: readonly string[]): string[] {
  return Object.keys(shapeOf(schemaAt(schema, path)) ?? {});
}

function schemaAt(schema: unknown, path: readonly string[]): unknown {
  let current = schema;
  for (const key of path) current = shapeOf(current)?.[key];
  return current;
}

/** The fields of an object schema. */
function shapeOf(schema: unknown): Record<string, unknown> | undefined {
  return unwrapped(schema)?.shape;
}

interface SchemaParts {
  shape?: Record<string, unknown>;
  def?: { type?: string; innerType?: unknown; in?: unknown };
}

/** Without optional and default wrappers, and before any transformation. */
function unwrapped(schema: unknown): SchemaParts | undefined {
  let current = schema as SchemaParts | undefined;
  for (;;) {
    const inner = (current?.def?.innerType ?? current?.def?.in) as SchemaParts | undefined;
    if (!inner) return current;
    current = inner;
  }
}
