import type { GlobalOptions } from './context.js';
import { DEFAULT_STATE_FOLDER } from './session.js';

const WAY_FLAGS = [
  ['orchestrator', '--orchestrator'],
  ['tokenEnv', '--token-env'],
  ['tokenFile', '--token-file'],
  ['caFile', '--ca-file'],
  ['certFile', '--cert-file'],
  ['keyFile', '--key-file'],
  ['serverName', '--server-name'],
] as const;

/** What a command that is named to the user needs, so that it finds the same run; secrets stay where they are. */
export function stateFlag(options: GlobalOptions): string {
  const flags = WAY_FLAGS.flatMap(([name, flag]) => (options[name] === undefined ? [] : [flag, quoted(options[name])]));
  if (options.tls) flags.push('--tls');
  // With a remote orchestrator it still has the notes of where results go.
  if (options.state !== DEFAULT_STATE_FOLDER) flags.push('--state', quoted(options.state));
  return flags.map((flag) => ` ${flag}`).join('');
}

/** For a shell. */
function quoted(text: string): string {
  return /^[\w./:@%+=-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
