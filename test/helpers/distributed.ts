import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LocalSystem } from '../../deploy/local/system.js';
import type { LocalSystemOptions } from '../../deploy/local/system.js';
import type { MeteredTeacher } from './metered-teacher.js';

export interface DistributedOptions extends Omit<LocalSystemOptions, 'teachers'> {
  teacher: MeteredTeacher;
  imagesPerCall: number;
  concurrency: number;
  /** Limits of the teacher beside those. */
  limits?: Readonly<Record<string, number>>;
  /** More lines of the teacher's settings, e.g. `limits` that the test is about. */
  extra?: string;
}

/** nats-server and the four services as processes, with one metered teacher registered as `metered`. */
export async function startDistributed(options: DistributedOptions): Promise<LocalSystem> {
  const { teacher, imagesPerCall, concurrency, limits = {}, extra = '', folder, ...rest } = options;
  const teachers = join(folder, 'teachers.yaml');
  await writeFile(
    teachers,
    `teachers:
  metered:
    adapter: open-inference-http
    url: ${teacher.url}
    model: ${teacher.model}
    input: { size: [8, 8] }
    limits: ${JSON.stringify({ imagesPerCall, concurrency, ...limits })}
${extra}`,
  );
  return LocalSystem.start({ folder, teachers, ...rest });
}
