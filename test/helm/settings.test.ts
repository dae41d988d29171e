import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ConfigTable } from '@bbdistill/common';
import { orchestratorProgram } from '@bbdistill/orchestrator';
import { trainerProgram } from '@bbdistill/student-trainer';
import { synthesisProgram } from '@bbdistill/synthesis';
import { teacherProxyProgram } from '@bbdistill/teacher-proxy';
import { describe, expect, test } from 'vitest';
import { temporaryFolder } from '../helpers/temporary-folder.js';
import { EXAMPLES, FEWEST, render, workloads } from './chart.js';
import type { Container, KubernetesObject, Workload } from './chart.js';

const programs = Object.fromEntries(
  [orchestratorProgram, teacherProxyProgram, synthesisProgram, trainerProgram].map((each) => [each.name, each]),
);
/** What libraries read, not we. */
const OF_LIBRARIES = ['TF_FORCE_GPU_ALLOW_GROWTH'];

const cases = [
  { name: 'the fewest values', options: { set: FEWEST } },
  ...readdirSync(EXAMPLES)
    .filter((file) => file.endsWith('.yaml'))
    .map((file) => ({ name: file, options: { values: [join(EXAMPLES, file)] } })),
];

const services = (objects: readonly KubernetesObject[]) =>
  workloads(objects).filter(({ object }) => object.kind === 'Deployment');

/** Names that a service knows: its variables, and those of files with secrets. */
const known = (table: ConfigTable) =>
  Object.values(table).flatMap(({ env, secret }) => (secret ? [env, `${env}_FILE`] : [env]));

const mountedAt = (container: Container, path: string) =>
  (container.volumeMounts ?? []).some(({ mountPath }) => path === mountPath || path.startsWith(`${mountPath}/`));

async function load({ component, pod }: Workload, objects: readonly KubernetesObject[]) {
  await using folder = await temporaryFolder();
  const [container] = pod.containers;
  const env: Record<string, string> = {};
  for (const { name, value } of container!.env ?? []) {
    if (value !== undefined && !OF_LIBRARIES.includes(name)) env[name] = value;
  }
  const teachers = objects.find(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name.endsWith('-teachers'));
  if (env['BBDISTILL_TEACHERS'] !== undefined) {
    const text = (teachers?.['data'] as Record<string, string> | undefined)?.['teachers.yaml'];
    env['BBDISTILL_TEACHERS'] = join(folder.path, 'teachers.yaml');
    writeFileSync(env['BBDISTILL_TEACHERS'], text ?? 'teachers: { metered: { adapter: fake } }');
  }
  return programs[component]!.config.load({ env, readFile: () => 'secret' });
}

describe.each(cases)('the chart with $name', ({ options }) => {
  const objects = render(options);

  test.each(services(objects))('sets only what $component knows', ({ component, pod }) => {
    const names = (pod.containers[0]!.env ?? []).map(({ name }) => name);
    const { table } = programs[component]!.config;
    expect(names.filter((name) => !known(table).includes(name) && !OF_LIBRARIES.includes(name))).toEqual([]);
    expect(new Set(names).size).toBe(names.length);
  });

  test.each(services(objects))('sets it so that $component starts', async (workload) => {
    await expect(load(workload, objects)).resolves.toMatchObject({ healthListen: '0.0.0.0:7710' });
  });

  test.each(services(objects))('mounts every file that it names to $component', ({ pod }) => {
    const [container] = pod.containers;
    const files = (container!.env ?? []).map(({ value }) => value ?? '').filter((value) => value.startsWith('/'));
    expect(files.filter((path) => !mountedAt(container!, path))).toEqual([]);
    const volumes = (pod.volumes ?? []).map((volume) => volume['name']);
    expect((container!.volumeMounts ?? []).filter(({ name }) => !volumes.includes(name))).toEqual([]);
  });
});

test('the orchestrator scales the Deployments that there are, as values say', async () => {
  const objects = render({ set: [...FEWEST, 'scaler.idleMs=1000', 'scaler.intervalMs=2000', 'scaler.maxReplicas=3'] });
  const names = objects.filter(({ kind }) => kind === 'Deployment').map(({ metadata }) => metadata.name);
  const values = await load(
    services(objects).find(({ component }) => component === 'orchestrator')!,
    objects,
  );
  expect(values).toMatchObject({
    scalerNamespace: 'distill',
    scalerIdleMs: 1_000,
    scalerIntervalMs: 2_000,
    scalerMaxReplicas: 3,
  });
  expect(names).toEqual(
    expect.arrayContaining([
      (values as unknown as Record<string, unknown>)['scalerSynthesis'],
      (values as unknown as Record<string, unknown>)['scalerStudentTrainer'],
    ]),
  );
});

test('a Service leads to the address that the orchestrator is given', async () => {
  const objects = render({ set: FEWEST });
  const { teacherProxyAddress } = (await load(
    services(objects).find(({ component }) => component === 'orchestrator')!,
    objects,
  )) as unknown as { teacherProxyAddress: string };
  const [, host, namespace, port] = /^dns:\/\/\/([^.]+)\.([^.]+)\.svc:(\d+)$/.exec(teacherProxyAddress)!;
  const service = objects.find(({ kind, metadata }) => kind === 'Service' && metadata.name === host);
  expect(namespace).toBe('distill');
  // Headless: one address for each replica, over which calls are spread.
  expect(service!['spec']).toMatchObject({ clusterIP: 'None' });
  expect((service!['spec'] as { ports: { port: number }[] }).ports.map((each) => each.port)).toContain(Number(port));
});
