import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import type { ConfigTable } from '@bbdistill/common';
import { serviceProgram } from '../../services/cli/src/service-programs.js';
import { describeWithNats, natsServerProgram } from '../helpers/nats-server.js';
import { temporaryFolder } from '../helpers/temporary-folder.js';

interface Service {
  image?: string;
  command?: string[];
  entrypoint?: string[];
  build?: { context: string; dockerfile: string };
  environment?: Record<string, string>;
  healthcheck?: { test: string[] };
  read_only?: boolean;
  cap_drop?: string[];
  ports?: string[];
  secrets?: string[];
  volumes?: string[];
  configs?: { source: string; target: string }[];
  depends_on?: string[] | Record<string, { condition: string }>;
}

interface Compose {
  services: Record<string, Service>;
  configs: Record<string, { file: string }>;
  secrets: Record<string, { file: string }>;
  volumes: Record<string, object>;
}

const DEPLOY = new URL('../../deploy/', import.meta.url);
const compose = parse(readFileSync(new URL('compose.yaml', DEPLOY), 'utf8'), { merge: true }) as Compose;
const OURS = ['orchestrator', 'teacher-proxy', 'synthesis', 'student-trainer'];
/** Made by the operator before the first start, as the head of the file says. */
const MADE_BY_THE_OPERATOR = ['./teachers.yaml', './secrets/token', './secrets/nats'];
/** OTEL_ names are the OpenTelemetry SDK's own. */
const OWN_NAMES = /^(BBDISTILL|NATS)_/;

const envNamesOf = (table: ConfigTable) =>
  new Set(Object.values(table).flatMap(({ env, secret }) => (secret ? [env, `${env}_FILE`] : [env])));

describe('compose - what a container engine would be told', () => {
  it('names the four services, NATS and what watches them', () => {
    expect(Object.keys(compose.services).sort()).toEqual(
      [...OURS, 'nats', 'collector', 'prometheus', 'grafana'].sort(),
    );
  });

  it.each(Object.entries(compose.services))(
    '%s - has an image with a version, and mounts what is declared',
    (_, one) => {
      expect(one.image).toMatch(/^[\w./-]+:(\d[\w.-]*|v\d[\w.-]*|\$\{BBDISTILL_TAG:-\d+\.\d+\.\d+\})$/);
      for (const secret of one.secrets ?? []) expect(Object.keys(compose.secrets)).toContain(secret);
      for (const { source, target } of one.configs ?? []) {
        expect(Object.keys(compose.configs)).toContain(source);
        expect(target).toMatch(/^\//);
      }
      for (const volume of one.volumes ?? []) expect(Object.keys(compose.volumes)).toContain(volume.split(':')[0]);
      // Nothing is open to other machines.
      for (const port of one.ports ?? []) expect(port).toMatch(/^127\.0\.0\.1:/);
      for (const [other, { condition }] of dependencies(one)) {
        expect(Object.keys(compose.services)).toContain(other);
        if (condition === 'service_healthy') expect(compose.services[other]?.healthcheck?.test[0]).toBe('CMD');
      }
    },
  );

  it('files that are mounted are there, but for those that the operator makes', () => {
    const files = [...Object.values(compose.configs), ...Object.values(compose.secrets)].map(({ file }) => file);
    const missing = files.filter((file) => !existsSync(fileURLToPath(new URL(file, DEPLOY))));
    for (const file of missing) expect(MADE_BY_THE_OPERATOR).toContain(file);
    expect(files).toEqual(expect.arrayContaining(MADE_BY_THE_OPERATOR));
  });

  it.each(OURS)('%s - is told settings that it knows, hardened, from an image that the repository builds', (name) => {
    const service = compose.services[name]!;
    const [verb, served, ...flags] = service.command!;
    expect([verb, served]).toEqual(['serve', name]);
    const { table } = serviceProgram(name).config;
    const flagNames = Object.keys(table).map((key) => `--${key}`);
    for (const flag of flags.filter((each) => each.startsWith('--'))) expect(flagNames).toContain(flag);
    const told = Object.keys(service.environment!).filter((env) => OWN_NAMES.test(env));
    expect(told.length).toBeGreaterThan(3);
    for (const env of told) expect([...envNamesOf(table)]).toContain(env);
    expect(service.read_only).toBe(true);
    expect(service.cap_drop).toEqual(['ALL']);
    const { context, dockerfile } = service.build!;
    expect(existsSync(fileURLToPath(new URL(`${context}/${dockerfile}`, DEPLOY)))).toBe(true);
  });

  it.each(OURS)('%s - finds the other services at addresses that they listen on', (name) => {
    const { environment = {} } = compose.services[name]!;
    for (const value of Object.values(environment)) {
      const address = /^(?:\w+:\/\/\/?)([a-z-]+):(\d+)$/.exec(value);
      if (!address) continue;
      const [, host, port] = address;
      const target = compose.services[host!];
      expect(target, value).toBeDefined();
      if (OURS.includes(host!)) expect(target!.command).toContain(`0.0.0.0:${port}`);
    }
  });

  it('files in secrets are read from where they are mounted', () => {
    for (const name of OURS) {
      const { environment = {}, secrets = [] } = compose.services[name]!;
      const read = Object.values(environment).filter((value) => value.startsWith('/run/secrets/'));
      for (const path of read) expect(secrets).toContain(path.slice('/run/secrets/'.length));
      expect(read.length).toBeGreaterThan(0);
    }
  });
});

describeWithNats('compose - what nats-server would be told', () => {
  it('nats-server takes its flags and its configuration, which has each message on the disk', async () => {
    const { entrypoint, configs } = compose.services['nats']!;
    const { source, target } = configs![0]!;
    const file = fileURLToPath(new URL(compose.configs[source]!.file, DEPLOY));
    expect(readFileSync(file, 'utf8')).toMatch(/^ +sync_interval: always$/m);
    await using folder = await temporaryFolder();
    const command = entrypoint!
      .at(-1)!
      .replace('nats-server', `"${natsServerProgram()}" -t`)
      .replace(target, `"${file}"`)
      .replace('/data', folder.path)
      .replace('"$$(cat /run/secrets/nats)"', 'a-token');
    const { status, stderr } = spawnSync('/bin/sh', ['-c', command], { encoding: 'utf8' });
    expect(stderr).toContain(`${file} is valid`);
    expect(status).toBe(0);
  });
});

function dependencies({ depends_on = [] }: Service): [string, { condition: string }][] {
  return Array.isArray(depends_on)
    ? depends_on.map((name) => [name, { condition: 'service_started' }])
    : Object.entries(depends_on);
}
