import { readFile, stat } from 'node:fs/promises';
import { ConfigError } from '@bbdistill/common';
import { assertStudent, topologyOf } from '@bbdistill/compute';
import { pathIn } from './run-file.js';
import type { RunSettings } from './run-file.js';

/** A model.json lists its weights, and may hold small ones itself. */
const MAX_MODEL_JSON_BYTES = 8 << 20;

/**
 * The topology in a user's model.json, as a run's spec has it, checked as far as that goes without images.
 * @returns empty where the run names a network of ours
 * @throws ConfigError naming the file
 */
export async function readTopology({ student, classes }: RunSettings, baseFolder: string): Promise<string> {
  if (student.topology === undefined) return '';
  const file = pathIn(baseFolder, student.topology);
  try {
    const { size } = await stat(file);
    if (size > MAX_MODEL_JSON_BYTES) throw new Error(`it has ${size} bytes, more than ${MAX_MODEL_JSON_BYTES}`);
    const topology = topologyOf(await readFile(file, 'utf8'));
    assertStudent({ network: '', topology }, classes);
    return topology;
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new ConfigError(`run.student.topology ${file} can't be taken: ${why}`, { cause });
  }
}
