import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { nkeys } from '@nats-io/transport-node';
import { expect, it } from 'vitest';
import { openNatsStores, systemClock } from '@bbdistill/common';
import type { NatsCredentials } from '@bbdistill/common';
import { TestAuthority } from '../helpers/certificates.js';
import { startChild } from '../helpers/child.js';
import { describeWithNats, startNatsServer } from '../helpers/nats-server.js';
import { temporaryFolder } from '../helpers/temporary-folder.js';
import { bytesOf } from './fixture.js';

const PATIENCE_MS = 5_000;
const START_MS = 30_000;
const SYNTHESIS = fileURLToPath(new URL('../../services/synthesis/dist/main.js', import.meta.url));

describeWithNats('credentials of the NATS stores', () => {
  const open = (url: string, credentials: NatsCredentials) =>
    openNatsStores({ servers: [url], credentials, replicas: 1, clock: systemClock, patienceMs: PATIENCE_MS });

  it('token - the right one is let in, a wrong one is refused at once, and neither is in the error', async () => {
    await using folder = await temporaryFolder();
    const [right, wrong] = [join(folder.path, 'right'), join(folder.path, 'wrong')];
    await writeFile(right, 'a-right-token\n');
    await writeFile(wrong, 'a-wrong-token\n');
    await using server = await startNatsServer(['--auth', 'a-right-token']);
    const stores = await open(server.url, { tokenFile: right });
    await stores.state.create('a', bytesOf('1'));
    await stores.close();
    const refused = await open(server.url, { tokenFile: wrong }).catch((error: unknown) => error);
    expect(refused).toMatchObject({ kind: 'unauthenticated', code: 'NATS_CREDENTIALS' });
    expect(String((refused as Error).stack)).not.toContain('a-wrong-token');
  });

  it('NKey - the user of the seed is let in, another one is refused', async () => {
    await using folder = await temporaryFolder();
    const [right, wrong] = [nkeys.createUser(), nkeys.createUser()];
    const config = join(folder.path, 'nats.conf');
    await writeFile(config, `authorization { users: [ { nkey: ${right.getPublicKey()} } ] }`);
    await using server = await startNatsServer(['-c', config]);
    const seedFile = join(folder.path, 'seed');
    await writeFile(seedFile, right.getSeed());
    const stores = await open(server.url, { nkeySeedFile: seedFile });
    await stores.state.create('a', bytesOf('1'));
    await stores.close();
    await writeFile(seedFile, wrong.getSeed());
    await expect(open(server.url, { nkeySeedFile: seedFile })).rejects.toMatchObject({ code: 'NATS_CREDENTIALS' });
  });

  it('TLS - a service with its own certificate and a token is let in as its settings say, without them it is not', async () => {
    await using folder = await temporaryFolder();
    const authority = new TestAuthority(folder.path);
    const own = authority.issue('nats', 'nats', 'localhost');
    const client = authority.issue('synthesis');
    const [tokenFile, config] = [join(folder.path, 'token'), join(folder.path, 'nats.conf')];
    await writeFile(tokenFile, 'a-right-token\n');
    await writeFile(
      config,
      `authorization { token: a-right-token }
tls { cert_file: "${own.certFile}", key_file: "${own.keyFile}", ca_file: "${authority.caFile}", verify: true }`,
    );
    await using server = await startNatsServer(['-c', config]);
    // The client looks for a name in the certificate, also where it was given an address.
    const url = server.url.replace('127.0.0.1', 'localhost');
    const tls = { caFile: authority.caFile, ...client };
    const stores = await open(url, { tokenFile, tls });
    await stores.state.create('a', bytesOf('1'));
    await stores.close();
    const stranger = new TestAuthority(folder.path, 'stranger').caFile;
    for (const credentials of [
      { tokenFile, tls: { ...tls, caFile: stranger } },
      { tokenFile, tls: { caFile: tls.caFile } },
    ]) {
      await expect(open(url, credentials)).rejects.toThrow(/NATS/);
    }

    const env = {
      NATS_URL: url,
      NATS_TOKEN_FILE: tokenFile,
      NATS_CA_FILE: authority.caFile,
      NATS_CERT_FILE: client.certFile,
      NATS_KEY_FILE: client.keyFile,
    };
    const args = [SYNTHESIS, '--listen', '127.0.0.1:0', '--state', folder.path];
    await using service = startChild(process.execPath, args, { env });
    expect(await service.line(/ listening on 127/, START_MS)).toBeTruthy();
  });

  it.each([
    [{ tokenFile: 'missing' }, /missing can't be read/],
    [{ tokenFile: 'one', nkeySeedFile: 'two' }, /two and one can't both/],
  ] as const)('files - %j are refused', async (credentials, message) => {
    const refused = open('nats://127.0.0.1:1', credentials);
    await expect(refused).rejects.toThrow(message);
    await expect(refused).rejects.toMatchObject({ code: 'CONFIG' });
  });
});
