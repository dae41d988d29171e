import { readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { parseFlags } from '@bbdistill/common';
import type { ServiceProgram } from '@bbdistill/common';
import { orchestratorProgram } from '@bbdistill/orchestrator';
import { trainerProgram } from '@bbdistill/student-trainer';
import { synthesisProgram } from '@bbdistill/synthesis';
import { teacherProxyProgram } from '@bbdistill/teacher-proxy';
import { describeWithPrometheus, runPromtool } from '../helpers/prometheus.js';
import { temporaryFolder } from '../helpers/temporary-folder.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const FOLDER = join(ROOT, 'deploy/observability');
const METRIC = /\b(bbdistill_\w+|process_\w+|nodejs_\w+)/g;
/** What Prometheus makes of one histogram. */
const SUFFIX = /_(bucket|count|sum)$/;

interface Dashboard {
  panels: { type: string; title: string; targets?: { expr: string }[] }[];
}

const textOf = (name: string) => readFile(join(FOLDER, name), 'utf8');
const dashboard = async () => JSON.parse(await textOf('dashboard.json')) as Dashboard;
const expressions = async () =>
  (await dashboard()).panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));

/** Names of metrics that the services make, from their sources. */
async function metricsOfSources(): Promise<Set<string>> {
  const names = new Set<string>();
  for (const service of ['common', 'orchestrator', 'teacher-proxy', 'synthesis', 'student-trainer']) {
    const folder = join(ROOT, 'services', service, 'src');
    for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile() || !entry.name.endsWith('.ts') || entry.name.endsWith('.test.ts')) continue;
      const text = await readFile(join(entry.parentPath, entry.name), 'utf8');
      for (const [, name] of text.matchAll(/'((?:bbdistill|process|nodejs)_\w+)'/g)) names.add(name!);
    }
  }
  return names;
}

describe('the files of deploy/observability', () => {
  it('observability - dashboard and alerts ask for nothing that no service tells', async () => {
    const known = await metricsOfSources();
    const asked = [...(await expressions()), await textOf('alerts.yaml')].flatMap((text) =>
      [...text.matchAll(METRIC)].map(([name]) => name.replace(SUFFIX, '')),
    );
    expect(asked.length).toBeGreaterThan(30);
    expect([...new Set(asked)].filter((name) => !known.has(name))).toEqual([]);
  });

  it('observability - the chart has the same alerts and dashboard', async () => {
    for (const name of ['alerts.yaml', 'dashboard.json']) {
      expect(await readFile(join(ROOT, 'helm/bbdistill/files', name), 'utf8'), name).toBe(await textOf(name));
    }
  });

  it('observability - the collector’s pipelines name what is configured', async () => {
    const { receivers, processors, exporters, service } = parse(await textOf('collector.yaml')) as {
      receivers: object;
      processors: object;
      exporters: object;
      service: { pipelines: Record<string, { receivers: string[]; processors: string[]; exporters: string[] }> };
    };
    for (const pipeline of Object.values(service.pipelines)) {
      for (const name of pipeline.receivers) expect(Object.keys(receivers)).toContain(name);
      for (const name of pipeline.processors) expect(Object.keys(processors)).toContain(name);
      for (const name of pipeline.exporters) expect(Object.keys(exporters)).toContain(name);
    }
  });
});

describeWithPrometheus('the files of deploy/observability, by promtool', () => {
  it('observability - the alert rules are valid and fire when they should', () => {
    const checked = runPromtool('check', 'rules', join(FOLDER, 'alerts.yaml'));
    expect(checked, checked.output).toMatchObject({ status: 0 });
    const tested = runPromtool('test', 'rules', join(FOLDER, 'alerts.test.yaml'));
    expect(tested, tested.output).toMatchObject({ status: 0 });
  });

  it('observability - Prometheus takes its configuration', () => {
    const checked = runPromtool('check', 'config', '--syntax-only', join(FOLDER, 'prometheus.yaml'));
    expect(checked, checked.output).toMatchObject({ status: 0 });
  });

  it('observability - every expression of the dashboard is PromQL', async () => {
    await using folder = await temporaryFolder();
    const rules = (await expressions()).map((expr, n) => ({
      record: `panel:${n}`,
      expr: expr.replaceAll('$__rate_interval', '5m').replaceAll('$teacher', '.*'),
    }));
    const file = join(folder.path, 'panels.yaml');
    await writeFile(file, JSON.stringify({ groups: [{ name: 'panels', rules }] }));
    const checked = runPromtool('check', 'rules', file);
    expect(checked, checked.output).toMatchObject({ status: 0 });
  });
});

interface ComposeService {
  command?: string[];
  environment?: Record<string, string>;
  configs?: { source: string }[];
  secrets?: string[];
  volumes?: string[];
  depends_on?: string[] | Record<string, unknown>;
}

interface Compose {
  services: Record<string, ComposeService>;
  configs: Record<string, { file: string }>;
  secrets: Record<string, unknown>;
  volumes: Record<string, unknown>;
}

describe('deploy/compose.yaml', () => {
  const compose = async () =>
    parse(await readFile(join(ROOT, 'deploy/compose.yaml'), 'utf8'), { merge: true }) as Compose;

  it('compose - the services take the settings that it gives them', async () => {
    const { services } = await compose();
    const programs = [orchestratorProgram, teacherProxyProgram, synthesisProgram, trainerProgram];
    for (const { name, config } of programs as ServiceProgram[]) {
      const { command, environment = {} } = services[name]!;
      expect(command?.slice(0, 2)).toEqual(['serve', name]);
      const known = Object.values(config.table).flatMap(({ env }) => [env, `${env}_FILE`]);
      expect(Object.keys(environment).filter((variable) => !known.includes(variable))).toEqual([]);
      // The operator's own file of teachers is not there.
      const { BBDISTILL_TEACHERS: _, ...env } = environment;
      const values = config.load({ flags: parseFlags(command!.slice(2)), env, readFile: () => 'a secret of the test' });
      expect(values.listen).toMatch(/^0\.0\.0\.0:77/);
      expect(values.token).toBe('a secret of the test');
    }
  });

  it('compose - names no configuration, secret, volume or service that is not there', async () => {
    const { services, configs, secrets, volumes } = await compose();
    for (const [name, service] of Object.entries(services)) {
      for (const { source } of service.configs ?? []) expect(Object.keys(configs), name).toContain(source);
      for (const secret of service.secrets ?? []) expect(Object.keys(secrets), name).toContain(secret);
      for (const volume of service.volumes ?? []) expect(Object.keys(volumes), name).toContain(volume.split(':')[0]);
      const needed = Array.isArray(service.depends_on) ? service.depends_on : Object.keys(service.depends_on ?? {});
      for (const other of needed) expect(Object.keys(services), name).toContain(other);
    }
    for (const [name, { file }] of Object.entries(configs)) {
      if (name !== 'teachers') await expect(readFile(join(ROOT, 'deploy', file)), name).resolves.toBeDefined();
    }
  });
});
