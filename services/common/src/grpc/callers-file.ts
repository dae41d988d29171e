import { parse as parseYaml } from 'yaml';
import { z } from 'zod';
import type { Clock } from '../clock.js';
import type { Logger } from '../logger.js';
import { ReloadedFiles } from '../reloaded-files.js';
import { sha256Hex } from '../stores/blob-store.js';
import { unauthenticated } from './auth.js';
import type { Caller, TokenVerifier } from './auth.js';
import { SCOPES } from './scopes.js';

const digest = z.string().regex(/^[0-9a-f]{64}$/, 'must be the sha-256 of a token: 64 lower-case hexadecimal digits');
const count = z.number().int().min(1);

const callersFile = z.strictObject({
  callers: z
    .array(
      z.strictObject({
        name: z.string().regex(/^[\w.@-]{1,64}$/, 'must be 1 to 64 letters, digits and _.@-'),
        tokenSha256: z.union([digest, z.array(digest).min(1)]),
        scopes: z.array(z.enum(SCOPES)).min(1),
        callsPerMinute: count.optional(),
        concurrentCalls: count.optional(),
      }),
    )
    .min(1),
});

/** Callers by the digest of their token. */
export type Callers = ReadonlyMap<string, Caller>;

/**
 * Reads a callers file. It holds digests only: whoever reads it can't call.
 * @throws Error that names every fault
 */
export function parseCallers(yaml: string): Callers {
  const parsed = callersFile.safeParse(parseYaml(yaml));
  if (!parsed.success) {
    throw new Error(
      parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'file'}: ${message}`).join('; '),
    );
  }
  const byDigest = new Map<string, Caller>();
  const names = new Set<string>();
  for (const { name, tokenSha256, scopes, callsPerMinute, concurrentCalls } of parsed.data.callers) {
    if (names.has(name)) throw new Error(`two callers have the name ${name}: give one caller all of its tokens`);
    names.add(name);
    const caller: Caller = {
      name,
      scopes: new Set(scopes),
      quotas: {
        ...(callsPerMinute !== undefined && { callsPerMinute }),
        ...(concurrentCalls !== undefined && { concurrentCalls }),
      },
    };
    for (const sha256 of [tokenSha256].flat()) {
      const other = byDigest.get(sha256);
      if (other) throw new Error(`${other.name} and ${name} have the same token: give each its own`);
      byDigest.set(sha256, caller);
    }
  }
  return byDigest;
}

/** Verifies tokens by a callers file, which may change. */
export interface CallersFile {
  readonly verify: TokenVerifier;
  close(): Promise<void>;
}

/** @throws ConfigError where the file can't be read or used */
export function openCallersFile(path: string, clock: Clock, logger: Logger): CallersFile {
  const callers = new ReloadedFiles<Callers>({
    what: 'callers file',
    paths: [path],
    parse: ([bytes]) => parseCallers(bytes!.toString('utf8')),
    clock,
    logger,
  });
  return {
    verify: (token) => {
      // Looked up by digest: how long that takes tells nothing of the token.
      const caller = token === undefined ? undefined : callers.value.get(sha256Hex(token));
      if (!caller) throw unauthenticated(token);
      return caller;
    },
    close: () => callers.close(),
  };
}
