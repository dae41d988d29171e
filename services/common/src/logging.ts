import { pino } from 'pino';
import type { DestinationStream, Logger as PinoLogger } from 'pino';
import { redactSecrets } from './secrets.js';
import { activeTraceIds } from './telemetry.js';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';
export const LOG_LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error', 'silent'];

/** Fields whose values never reach a log, at the top and up to two levels down, in these spellings. */
export const REDACTED_FIELDS = [
  'authorization',
  'Authorization',
  'token',
  'bearerToken',
  'password',
  'secret',
  'apiKey',
  'api_key',
  'cookie',
  'Cookie',
  'credentials',
] as const;
const REDACTED = '[redacted]';

export interface LoggerOptions {
  /** Which service speaks. */
  name: string;
  /** Default `info`. */
  level?: LogLevel;
  /** Where the lines go; default standard error, so that standard output stays for results. */
  destination?: DestinationStream;
}

/** Logs as JSON, a line each: time in ms, level, service, trace ids where a span is active, fields, message. */
export function createLogger(options: LoggerOptions): PinoLogger {
  return pino(
    {
      level: options.level ?? 'info',
      base: { service: options.name },
      formatters: { level: (label) => ({ level: label }) },
      mixin: () => activeTraceIds(),
      redact: {
        paths: REDACTED_FIELDS.flatMap((field) => [field, `*.${field}`, `*.*.${field}`]),
        censor: REDACTED,
      },
    },
    withoutSecrets(options.destination ?? pino.destination({ fd: 2, sync: true })),
  );
}

/** Whatever a library put into an error's message: the values of secrets that this process holds stay here. */
function withoutSecrets(destination: DestinationStream): DestinationStream {
  return { write: (line) => destination.write(redactSecrets(line)) };
}
