import { randomBytes } from 'node:crypto';
import { ConfigError, SCOPES, parseCallers, sha256Hex } from '@bbdistill/common';
import { Command, InvalidArgumentError } from 'commander';
import { stringify } from 'yaml';
import type { CommandContext } from '../context.js';
import { positiveOption } from '../options.js';

const TOKEN_BYTES = 32;

interface CreateOptions {
  scopes: string[];
  callsPerMinute?: number;
  concurrentCalls?: number;
  json?: boolean;
}

/** `bbdistill token create` */
export function tokenCommand(context: CommandContext): Command {
  return new Command('token').description('tokens of those who may call the API').addCommand(createCommand(context));
}

function createCommand({ output }: CommandContext): Command {
  return new Command('create')
    .description('make a token, shown once, and the entry of its caller for the callers file, which has only its hash')
    .argument('<name>', 'of the caller')
    .requiredOption('--scopes <list>', `what it may do: ${SCOPES.join(', ')}`, scopesOption)
    .option('--calls-per-minute <n>', 'quota', positiveOption)
    .option('--concurrent-calls <n>', 'quota', positiveOption)
    .option('--json', 'print JSON for machines')
    .action((name: string, { scopes, callsPerMinute, concurrentCalls, json }: CreateOptions) => {
      const token = randomBytes(TOKEN_BYTES).toString('base64url');
      const caller = {
        name,
        tokenSha256: sha256Hex(token),
        scopes,
        ...(callsPerMinute !== undefined && { callsPerMinute }),
        ...(concurrentCalls !== undefined && { concurrentCalls }),
      };
      const entry = stringify({ callers: [caller] });
      checkEntry(entry);
      if (json) return output.stdout(JSON.stringify({ token, caller }));
      // The entry alone goes to standard output, so that it can be sent into a file.
      output.stderr(`token of ${name}, not shown again: ${token}`);
      output.stdout(entry.trimEnd());
    });
}

function scopesOption(text: string): string[] {
  const scopes = text.split(',').map((scope) => scope.trim());
  const unknown = scopes.find((scope) => !(SCOPES as readonly string[]).includes(scope));
  if (unknown === undefined) return [...new Set(scopes)];
  throw new InvalidArgumentError(`"${unknown}" is no scope; there are ${SCOPES.join(', ')}`);
}

/** By what reads the callers file. */
function checkEntry(entry: string): void {
  try {
    parseCallers(entry);
  } catch (cause) {
    throw new ConfigError(`no caller can be made so: ${(cause as Error).message}`, { cause });
  }
}
