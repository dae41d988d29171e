import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parsers, unknownKey } from '@bbdistill/common';
import type { Parser } from '@bbdistill/common';
import { parse as parseYaml } from 'yaml';
import { parseTeachers } from './registry.js';
import type { TeacherConfig } from './registry.js';

const MAX_FILE_CHARACTERS = 1 << 20;
/** `run` is a user's part of the same file, and none of the operator's business. */
const KNOWN_BLOCKS = ['teachers', 'run'];

/** The operator's teachers and where they were read. */
export class TeachersFile {
  constructor(
    readonly path: string,
    readonly teachers: readonly TeacherConfig[],
  ) {}

  /** What a list of settings shows. */
  toJSON(): unknown {
    return { path: this.path, teachers: this.teachers.map(({ name }) => name) };
  }
}

/**
 * The path of a YAML file with a `teachers:` block, read at once so that its faults show with all others. Paths inside
 * are relative to the file.
 */
export const teachersFile: Parser<TeachersFile> = (raw) => {
  const path = parsers.text(raw);
  const document = readYaml(path);
  if (document === null || typeof document !== 'object' || !('teachers' in document)) {
    throw new Error(`must name a file with a teachers: block, and ${path} has none`);
  }
  const unknown = Object.keys(document).filter((key) => !KNOWN_BLOCKS.includes(key));
  if (unknown.length > 0) {
    const faults = unknown.map((key) => unknownKey(key, KNOWN_BLOCKS, 'block '));
    throw new Error(`must be right, but in ${path}: ${faults.join('; ')}`);
  }
  try {
    return new TeachersFile(path, parseTeachers(document.teachers, dirname(resolve(path))));
  } catch (cause) {
    throw new Error(`must be right, but in ${path}: ${messageOf(cause).replaceAll('\n', '; ')}`, { cause });
  }
};

function readYaml(path: string): unknown {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new Error(`must name a file that can be read: ${messageOf(cause)}`, { cause });
  }
  if (text.length > MAX_FILE_CHARACTERS) {
    throw new Error(`must name a file of at most ${MAX_FILE_CHARACTERS} characters, and ${path} has ${text.length}`);
  }
  try {
    return parseYaml(text, { maxAliasCount: 100 }) as unknown;
  } catch (cause) {
    throw new Error(`must name a YAML file, and ${path} is none: ${messageOf(cause)}`, { cause });
  }
}

function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
