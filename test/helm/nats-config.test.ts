import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { startChild } from '../helpers/child.js';
import { natsServerProgram } from '../helpers/nats-server.js';
import { temporaryFolder } from '../helpers/temporary-folder.js';
import { waitFor } from '../helpers/wait-for.js';
import { FEWEST, render, workloads } from './chart.js';

/** The configuration that the chart renders, and the environment of the server so numbered, with this token. */
function setupOf(set: string[], token: string, server = 0) {
  const objects = render({ set });
  const config = objects.find(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === 'demo-bbdistill-nats');
  const [container] = workloads(objects).find(({ component }) => component === 'nats')!.pod.containers;
  const env: Record<string, string> = { SERVER_NAME: `demo-bbdistill-nats-${server}` };
  for (const { name, value } of container!.env ?? []) {
    if (value !== undefined) env[name] = value.replace('$(TOKEN)', token);
  }
  return { text: (config!['data'] as Record<string, string>)['nats.conf']!, env };
}

/** What nats-server says of the configuration, with its folders moved into a temporary one. */
async function checkConfig(set: string[], token = '9abc-def') {
  const { text, env } = setupOf(set, token);
  await using folder = await temporaryFolder();
  const file = join(folder.path, 'nats.conf');
  writeFileSync(file, text.replaceAll('"/data"', JSON.stringify(join(folder.path, 'data'))));
  const { status, stderr } = spawnSync(natsServerProgram(), ['-t', '--config', file], { encoding: 'utf8', env });
  return { ok: status === 0, stderr, text };
}

/** A server of the group as rendered, but on loopback: any ports, and its peer is found at this one. */
async function startServer(folder: string, set: string[], server: number, token: string, peerPort: number) {
  const { text, env } = setupOf(set, token, server);
  const own = join(folder, String(server));
  mkdirSync(own);
  const file = join(own, 'nats.conf');
  writeFileSync(
    file,
    text
      .replace('"/data"', JSON.stringify(join(own, 'data')))
      .replace('"/var/run/nats/nats.pid"', JSON.stringify(join(own, 'nats.pid')))
      .replace('port: 4222', 'listen: "127.0.0.1:-1"')
      .replace('http_port: 8222', '')
      .replace('port: 6222', 'listen: "127.0.0.1:-1"'),
  );
  for (const [name, value] of Object.entries(env)) {
    env[name] = value.replace(/demo-bbdistill-nats-\d\.demo-bbdistill-nats-peers:6222/, `127.0.0.1:${peerPort}`);
  }
  const child = startChild(natsServerProgram(), ['--config', file], { env });
  const says = (pattern: RegExp) =>
    waitFor(`nats-server to say ${String(pattern)}`, () => pattern.exec(child.errorOutput()));
  const [, port] = await says(/Listening for route connections on 127\.0\.0\.1:(\d+)/);
  return { child, says, port: Number(port) };
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

test('a server that does not know the token is not let into the group, one that knows it is', async () => {
  const set = [...FEWEST, 'nats.replicas=3', 'nats.auth.existingSecret=nats'];
  await using folder = await temporaryFolder();
  const first = await startServer(folder.path, set, 0, '9abc-def', 1);
  await using _first = first.child;
  const stranger = await startServer(folder.path, set, 1, 'guessed', first.port);
  await using _stranger = stranger.child;
  await first.says(/authentication error - User "routes"/);
  await stranger.says(/Authorization Violation/);
  const second = await startServer(folder.path, set, 2, '9abc-def', first.port);
  await using _second = second.child;
  const leader = /new (JetStream cluster )?metadata leader/;
  await second.says(leader);
  expect(stranger.child.errorOutput()).not.toMatch(leader);
});
