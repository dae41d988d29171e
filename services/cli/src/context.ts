import type { Logger } from '@bbdistill/common';
import { ConfigError, createLogger } from '@bbdistill/common';
import type { EngineName, GpuWish } from '@bbdistill/compute';
import type { TeacherConfig } from '@bbdistill/teacher-proxy';
import type { Command } from 'commander';
import type { Output } from './output.js';
import { wayTo } from './remote.js';
import type { RemoteOptions } from './remote.js';
import { DEFAULT_STATE_FOLDER, openSession } from './session.js';
import type { Session } from './session.js';
import type { Override } from './run-file.js';

/** What every command gets. */
export interface CommandContext {
  output: Output;
  /** Settings given as flags: `--run.student.network lenet5`. */
  overrides: readonly Override[];
  /** The first Ctrl-C. A second one ends the process at once. */
  interrupt: AbortSignal;
  setExitCode(code: number): void;
}

const TAKE_SETTINGS = new WeakSet<Command>();

/** The command reads a run file or what stands for one, so that settings may be flags of it. */
export function takesSettings(command: Command): Command {
  TAKE_SETTINGS.add(command);
  return command;
}

/** @throws ConfigError where there are settings among the flags, and the command would leave them unread */
export function checkOverrides(command: Command, { overrides }: CommandContext): void {
  const [first] = overrides;
  if (first && !TAKE_SETTINGS.has(command)) {
    throw new ConfigError(`--${first[0]} has no place in ${command.name()}: it reads no settings of a run`);
  }
}

export interface GlobalOptions extends RemoteOptions {
  state: string;
  orchestrator?: string;
  json?: boolean;
  verbose?: boolean;
}

export function addGlobalOptions(command: Command): Command {
  return command
    .option('--state <dir>', 'folder of the embedded services', DEFAULT_STATE_FOLDER)
    .option('--orchestrator <host:port>', 'use a remote orchestrator instead of services in this process')
    .option('--token-env <name>', 'environment variable with the token of the remote orchestrator')
    .option('--token-file <file>', 'file with that token')
    .option('--tls', 'speak TLS with the remote orchestrator; the options below imply it')
    .option('--ca-file <pem>', 'who signed its certificate, where that is none of the known authorities')
    .option('--cert-file <pem>', 'certificate that it is shown (mutual TLS)')
    .option('--key-file <pem>', 'key of that certificate')
    .option('--server-name <name>', 'name in its certificate, where that is not the host')
    .option('--json', 'print JSON for machines')
    .option('--verbose', 'log what the services do to standard error');
}

/** Runs the work with a session and closes it, whatever happens. */
export async function withSession<T>(
  options: GlobalOptions,
  setup: { teachers?: readonly TeacherConfig[]; engine?: EngineName; gpu?: GpuWish },
  work: (session: Session) => Promise<T>,
): Promise<T> {
  const session = await openSession({
    ...(options.orchestrator !== undefined && { remote: { address: options.orchestrator, ...(await wayTo(options)) } }),
    stateFolder: options.state,
    teachers: setup.teachers ?? [],
    ...(setup.engine && { engine: setup.engine }),
    ...(setup.gpu && { gpu: setup.gpu }),
    logger: loggerFor(options),
  });
  try {
    return await work(session);
  } finally {
    await session.close();
  }
}

export function loggerFor(options: GlobalOptions): Logger {
  return createLogger({ name: 'bbdistill', level: options.verbose ? 'debug' : 'error', destination: process.stderr });
}
