import { bearerToken } from './grpc/auth.js';
import type { ListenOptions } from './grpc/server.js';
import { securityOptions } from './security-settings.js';
import { describeDefaults } from './config-values.js';
import { configFaults } from './config.js';
import type { Config, ConfigTable, ConfigValues } from './config.js';
import { asBbdError } from './errors.js';
import { EXIT, exitCodeOfError, leaveAtOnce } from './exit-codes.js';
import type { Logger } from './logger.js';
import { createLogger } from './logging.js';
import type { ServiceSettings } from './service-settings.js';
import type { RunningTelemetry } from './telemetry-sdk.js';
import type { TelemetrySettings } from './telemetry-settings.js';

export interface RunningService {
  /** `host:port` that the service really listens on. */
  readonly address: string;
  stop(): Promise<void>;
}

/** A service as a process: its settings and how it starts. */
export interface ServiceProgram<Table extends ConfigTable = ServiceSettings> {
  readonly name: string;
  readonly config: Config<Table>;
  /** @throws BbdError */
  start(values: ConfigValues<Table>, logger: Logger): Promise<RunningService>;
}

export interface ServeOptions {
  /** `--key value` for every setting that isn't a secret; `--json` and `--help` besides. */
  argv: readonly string[];
  env: Readonly<Record<string, string | undefined>>;
  /** Ends the service: calls under way are answered, unfinished jobs given back. */
  signal: AbortSignal;
  stdout: (text: string) => void;
}

/**
 * Serves until the signal; says one line when it is ready.
 * @throws ConfigError that lists every fault at once
 */
export async function serveProgram(program: ServiceProgram, options: ServeOptions): Promise<void> {
  const { signal, stdout } = options;
  const { settings, json, help } = splitArguments(options.argv);
  if (help) {
    stdout(
      `${program.name} [--key value ...] [--json]\nA setting is a flag or an environment variable; the flag wins.\n\n` +
        describeDefaults(program.config.table),
    );
    return;
  }
  const values = program.config.load({ flags: parseFlags(settings), env: options.env });
  const logger = createLogger({ name: program.name, level: values.logLevel });
  const telemetry = await telemetryOf(program.name, values, logger);
  try {
    await serveUntil(signal, program, values, logger, (address) => {
      const { metricsAddress } = telemetry;
      const metrics = metricsAddress === undefined ? {} : { metricsAddress };
      stdout(
        json
          ? JSON.stringify({ service: program.name, address, ...metrics })
          : `${program.name} listening on ${address}`,
      );
    });
  } finally {
    await telemetry.stop();
  }
}

async function serveUntil(
  signal: AbortSignal,
  program: ServiceProgram,
  values: ConfigValues<ServiceSettings>,
  logger: Logger,
  ready: (address: string) => void,
): Promise<void> {
  const service = await program.start(values, logger);
  try {
    if (signal.aborted) return;
    ready(service.address);
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  } finally {
    await service.stop();
  }
}

/** Telemetry as the settings ask for it; its SDK is loaded only where it is wanted. */
export async function telemetryOf(
  service: string,
  values: ConfigValues<TelemetrySettings>,
  logger: Logger,
): Promise<RunningTelemetry> {
  const { metricsListen, otlpEndpoint, otlpHeaders, traceSampleRatio } = values;
  if (metricsListen === undefined && otlpEndpoint === undefined) return { stop: async () => undefined };
  const { startTelemetry } = await import('./telemetry-sdk.js');
  const telemetry = await startTelemetry({
    service,
    logger,
    traceSampleRatio,
    ...(metricsListen !== undefined && { metricsListen }),
    ...(otlpEndpoint !== undefined && { otlpEndpoint }),
    ...(otlpHeaders !== undefined && { otlpHeaders }),
  });
  logger.info({ metricsAddress: telemetry.metricsAddress, otlpEndpoint }, 'telemetry is on');
  return telemetry;
}

/**
 * The whole life of a service's process. SIGINT and SIGTERM end it in order, a second one at once.
 * @returns the exit code: 0 stopped in order, 2 wrong settings, 5 the address can't be had, 1 internal error
 */
export async function runServiceProcess(program: ServiceProgram): Promise<number> {
  const argv = process.argv.slice(2);
  const stop = new AbortController();
  const onSignal = () => {
    if (stop.signal.aborted) return leaveAtOnce();
    stop.abort();
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  const stdout = (text: string) => void process.stdout.write(`${text}\n`);
  try {
    await serveProgram(program, { argv, env: process.env, signal: stop.signal, stdout });
    return EXIT.ok;
  } catch (thrown) {
    const { code, kind, message, stack } = asBbdError(thrown);
    if (argv.includes('--json')) stdout(JSON.stringify({ error: { code, message } }));
    process.stderr.write(`${program.name}: ${kind === 'internal' ? (stack ?? message) : message}\n`);
    return exitCodeOfError(thrown);
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  }
}

/** How a server is started with these settings. */
export function listenOptions(values: ConfigValues<ServiceSettings>): ListenOptions {
  const { listen, token, allowInsecure } = values;
  return {
    address: listen,
    allowInsecure,
    ...(token !== undefined && { auth: bearerToken(token) }),
    ...securityOptions(values),
  };
}

/** What is no setting, taken out of the arguments. */
export function splitArguments(argv: readonly string[]): { settings: string[]; json: boolean; help: boolean } {
  const isHelp = (word: string) => word === '--help' || word === '-h';
  return {
    settings: argv.filter((word) => word !== '--json' && !isHelp(word)),
    json: argv.includes('--json'),
    help: argv.some(isHelp),
  };
}

/**
 * `--key value` and `--key=value`; a key without a value is `true`.
 * @throws ConfigError where a word belongs to no key, or a key comes twice
 */
export function parseFlags(argv: readonly string[]): Record<string, string | true> {
  const flags = new Map<string, string | true>();
  const faults: string[] = [];
  for (let i = 0; i < argv.length; i++) {
    const [, key, joined] = /^--([^=]+)(?:=(.*))?$/s.exec(argv[i]!) ?? [];
    if (key === undefined) {
      faults.push(`"${argv[i]}" belongs to no flag: write --key value`);
      continue;
    }
    if (flags.has(key)) faults.push(`--${key} is given twice`);
    const next = argv[i + 1];
    if (joined !== undefined) flags.set(key, joined);
    else if (next === undefined || next.startsWith('--')) flags.set(key, true);
    else flags.set(key, argv[++i]!);
  }
  if (faults.length > 0) throw configFaults(faults);
  return Object.fromEntries(flags);
}
