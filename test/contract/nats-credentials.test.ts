import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { nkeys } from '@nats-io/transport-node';
import { expect, it } from 'vitest';
import { openNatsStores, systemClock } from '@bbdistill/common';
import type { NatsCredentials } from '@bbdistill/common';
import { describeWithNats, startNatsServer } from '../helpers/nats-server.js';
import { temporaryFolder } from '../helpers/temporary-folder.js';
import { bytesOf } from './fixture.js';

const PATIENCE_MS = 5_000;

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

  it.each([
    [{ tokenFile: 'missing' }, /missing can't be read/],
    [{ tokenFile: 'one', nkeySeedFile: 'two' }, /two and one can't both/],
  ] as const)('files - %j are refused', async (credentials, message) => {
    const refused = open('nats://127.0.0.1:1', credentials);
    await expect(refused).rejects.toThrow(message);
    await expect(refused).rejects.toMatchObject({ code: 'CONFIG' });
  });
});
