import { ConfigError, nearest } from '@bbdistill/common';
import type { ServiceProgram } from '@bbdistill/common';
import { orchestratorProgram } from '@bbdistill/orchestrator';
import { trainerProgram } from '@bbdistill/student-trainer';
import { synthesisProgram } from '@bbdistill/synthesis';
import { teacherProxyProgram } from '@bbdistill/teacher-proxy';
import { serveAllProgram } from './serve-all.js';

const PROGRAMS: readonly ServiceProgram[] = [
  serveAllProgram,
  orchestratorProgram,
  teacherProxyProgram,
  synthesisProgram,
  trainerProgram,
];

export const SERVICE_NAMES: readonly string[] = PROGRAMS.map(({ name }) => name);

/** @throws ConfigError naming the services there are */
export function serviceProgram(name: string): ServiceProgram {
  const program = PROGRAMS.find((candidate) => candidate.name === name);
  if (program) return program;
  const meant = nearest(name, SERVICE_NAMES);
  const hint = meant === undefined ? '' : ` Did you mean "${meant}"?`;
  throw new ConfigError(`there is no service "${name}": name one of ${SERVICE_NAMES.join(', ')}.${hint}`);
}
