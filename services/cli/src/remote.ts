import { readFile } from 'node:fs/promises';
import { ConfigError, defined } from '@bbdistill/common';
import type { ConnectOptions } from '@bbdistill/common';

/** How a remote orchestrator is reached, as told on the command line. */
export interface RemoteOptions {
  /** Name of the environment variable with the token. */
  tokenEnv?: string;
  tokenFile?: string;
  tls?: boolean;
  caFile?: string;
  certFile?: string;
  keyFile?: string;
  serverName?: string;
}

/** @throws ConfigError where options contradict each other, or name what isn't there */
export async function wayTo(options: RemoteOptions): Promise<ConnectOptions> {
  const { tls, caFile, certFile, keyFile, serverName } = options;
  if ((certFile === undefined) !== (keyFile === undefined)) {
    throw new ConfigError('--cert-file and --key-file go together: name both or none');
  }
  const files = defined({ caFile, certFile, keyFile, serverName });
  const token = await tokenOf(options);
  return {
    ...(token !== undefined && { token }),
    ...((tls || Object.keys(files).length > 0) && { tls: files }),
  };
}

async function tokenOf({ tokenEnv, tokenFile }: RemoteOptions): Promise<string | undefined> {
  if (tokenEnv !== undefined && tokenFile !== undefined) {
    throw new ConfigError('--token-env and --token-file both name a token: give one of them');
  }
  if (tokenEnv !== undefined) {
    const token = process.env[tokenEnv];
    if (!token) throw new ConfigError(`--token-env names ${tokenEnv}, which is not set: put the token there`);
    return token;
  }
  if (tokenFile === undefined) return undefined;
  let token: string;
  try {
    token = (await readFile(tokenFile, 'utf8')).trim();
  } catch (cause) {
    throw new ConfigError(`--token-file ${tokenFile} can't be read: ${(cause as Error).message}`, { cause });
  }
  if (token === '') throw new ConfigError(`--token-file ${tokenFile} is empty: put the token there`);
  return token;
}
