import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { temporaryFolder } from '../../../test/helpers/temporary-folder.js';
import { wayTo } from './remote.js';

describe('the way to a remote orchestrator', () => {
  afterEach(() => vi.unstubAllEnvs());

  it('is plain text without a token where nothing is told', async () => {
    expect(await wayTo({})).toEqual({});
  });

  it('has TLS with known authorities by --tls, with files by their options', async () => {
    expect(await wayTo({ tls: true })).toEqual({ tls: {} });
    expect(await wayTo({ caFile: 'ca.pem', certFile: 'a.pem', keyFile: 'a.key', serverName: 'api' })).toEqual({
      tls: { caFile: 'ca.pem', certFile: 'a.pem', keyFile: 'a.key', serverName: 'api' },
    });
  });

  it('reads the token from the environment or from a file', async () => {
    await using folder = await temporaryFolder();
    const tokenFile = join(folder.path, 'token');
    await writeFile(tokenFile, 'secret\n');
    vi.stubEnv('SOME_TOKEN', 'other');
    expect(await wayTo({ tokenFile })).toEqual({ token: 'secret' });
    expect(await wayTo({ tokenEnv: 'SOME_TOKEN' })).toEqual({ token: 'other' });
  });

  it.each([
    [{ certFile: 'a.pem' }, /--cert-file and --key-file go together/],
    [{ tokenEnv: 'A', tokenFile: 'b' }, /--token-env and --token-file both/],
    [{ tokenEnv: 'NOT_SET_ANYWHERE' }, /NOT_SET_ANYWHERE, which is not set/],
    [{ tokenFile: 'no-such-file' }, /no-such-file can't be read/],
    [{ tokenFile: '/dev/null' }, /is empty/],
  ])('refuses %o', async (options, message) => {
    await expect(wayTo(options)).rejects.toThrow(message);
  });
});
