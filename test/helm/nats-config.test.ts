import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { natsServerProgram } from '../helpers/nats-server.js';
import { temporaryFolder } from '../helpers/temporary-folder.js';
import { FEWEST, render, workloads } from './chart.js';

/** What nats-server says of the configuration that the chart renders, with its folders moved into a temporary one. */
async function checkConfig(set: string[], token = '9abc-def') {
  const objects = render({ set });
  const config = objects.find(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === 'demo-bbdistill-nats');
  const [container] = workloads(objects).find(({ component }) => component === 'nats')!.pod.containers;
  const env = Object.fromEntries((container!.env ?? []).map(({ name, value }) => [name, value]));
  await using folder = await temporaryFolder();
  const file = join(folder.path, 'nats.conf');
  const text = (config!['data'] as Record<string, string>)['nats.conf']!;
  writeFileSync(file, text.replaceAll('"/data"', JSON.stringify(join(folder.path, 'data'))));
  const natsToken = env['NATS_TOKEN']?.replace('$(TOKEN)', token);
  const { status, stderr } = spawnSync(natsServerProgram(), ['-t', '--config', file], {
    encoding: 'utf8',
    env: { SERVER_NAME: 'demo-bbdistill-nats-0', ...(natsToken !== undefined && { NATS_TOKEN: natsToken }) },
  });
  return { ok: status === 0, stderr, text };
}

test.each([
  ['one server', []],
  ['three servers', ['nats.replicas=3']],
  ['a token that begins with a digit', ['nats.auth.existingSecret=nats']],
  ['three servers with a token', ['nats.auth.existingSecret=nats', 'nats.replicas=3']],
])('nats-server takes the configuration of %s', async (_name, set) => {
  const { ok, stderr } = await checkConfig([...FEWEST, ...set]);
  expect(ok, stderr).toBe(true);
});

test('nats-server is asked for real: it refuses a token that the chart would not quote', async () => {
  const { ok } = await checkConfig([...FEWEST, 'nats.auth.existingSecret=nats'], '9"');
  expect(ok).toBe(false);
});

test('with certificates NATS speaks TLS to clients and to its peers', async () => {
  const set = ['nats.replicas=3', 'nats.tls.serverSecret=s', 'nats.tls.clientSecret=c', 'nats.tls.mutual=true'];
  const { text } = await checkConfig([...FEWEST, ...set]);
  expect(text.match(/cert_file/g)).toHaveLength(2);
  expect(text).toContain('verify: true');
});
