import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { EXAMPLES, FEWEST, NOTES, render, workloads } from './chart.js';
import type { Container, KubernetesObject, Workload } from './chart.js';

const SERVICES = ['orchestrator', 'teacher-proxy', 'synthesis', 'student-trainer'];
/** What a service needs to end in order (DEFAULT_DRAIN_MS and the handlers' grace in services/common). */
const DRAIN_SECONDS = 10;

const cases = [
  { name: 'the fewest values', options: { set: FEWEST } },
  ...readdirSync(EXAMPLES)
    .filter((file) => file.endsWith('.yaml'))
    .map((file) => ({ name: file, options: { values: [join(EXAMPLES, file)] } })),
];

const containersOf = ({ pod }: Workload): Container[] => [...pod.containers, ...(pod.initContainers ?? [])];
const specOf = <T>(object: KubernetesObject) => object['spec'] as T;
const named = (objects: readonly KubernetesObject[], kind: string) => objects.filter((object) => object.kind === kind);
const pick = (objects: readonly KubernetesObject[], kind: string, component: string) =>
  named(objects, kind).find((object) => object.metadata.labels?.['app.kubernetes.io/component'] === component);

describe.each(cases)('the chart with $name', ({ options }) => {
  const objects = render(options);
  const all = workloads(objects);

  test('runs nothing as root, with more rights than needed, or with a writable root', () => {
    for (const workload of all) {
      expect(workload.pod.securityContext, workload.component).toMatchObject({
        runAsNonRoot: true,
        seccompProfile: { type: 'RuntimeDefault' },
      });
      expect(workload.pod.hostNetwork ?? workload.pod.hostPID ?? workload.pod.hostIPC).toBeUndefined();
      expect(workload.pod.volumes?.filter((volume) => 'hostPath' in volume) ?? []).toEqual([]);
      for (const container of containersOf(workload)) {
        expect(container.securityContext, container.name).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        });
      }
    }
  });

  test('asks for memory and bounds it', () => {
    for (const container of all.flatMap(containersOf)) {
      expect(container.resources?.limits?.['memory'], container.name).toBeDefined();
      expect(container.resources?.requests?.['cpu'], container.name).toBeDefined();
      expect(container.resources?.requests?.['memory'], container.name).toBeDefined();
    }
  });

  test('gives a service-account token to the orchestrator alone', () => {
    const withToken = all.filter(({ pod }) => pod.automountServiceAccountToken !== false).map((w) => w.component);
    expect(withToken).toEqual(['orchestrator']);
    for (const account of named(objects, 'ServiceAccount')) {
      expect(account['automountServiceAccountToken'], account.metadata.name).toBe(false);
    }
  });

  test('lets the orchestrator scale two Deployments and read pods and events, and nobody anything else', () => {
    expect(named(objects, 'ClusterRole').concat(named(objects, 'ClusterRoleBinding'))).toEqual([]);
    const roles = named(objects, 'Role');
    expect(roles).toHaveLength(1);
    expect(roles[0]!['rules']).toEqual([
      {
        apiGroups: ['apps'],
        resources: ['deployments/scale'],
        resourceNames: ['demo-bbdistill-synthesis', 'demo-bbdistill-student-trainer'],
        verbs: ['get', 'update'],
      },
      { apiGroups: [''], resources: ['pods', 'events'], verbs: ['list'] },
    ]);
    expect(JSON.stringify(roles)).not.toContain('*');
    expect(named(objects, 'RoleBinding').map((binding) => binding['subjects'])).toEqual([
      [{ kind: 'ServiceAccount', name: 'demo-bbdistill-orchestrator', namespace: 'distill' }],
    ]);
  });

  test('makes no Secret and writes none into an environment', () => {
    expect(named(objects, 'Secret')).toEqual([]);
    for (const { name, value } of all.flatMap(containersOf).flatMap((container) => container.env ?? [])) {
      if (/TOKEN|SECRET|PASSWORD|HEADERS/.test(name) && !name.endsWith('_FILE')) {
        expect(value ?? '', name).toMatch(/^("\$\(TOKEN\)")?$/);
      }
    }
  });

  test('leaves the number of pods of the scaled Deployments to the orchestrator', () => {
    for (const component of ['synthesis', 'student-trainer']) {
      expect(specOf<object>(pick(objects, 'Deployment', component)!)).not.toHaveProperty('replicas');
    }
    expect(specOf(pick(objects, 'Deployment', 'orchestrator')!)).toHaveProperty('replicas');
  });

  test('never asks for a second GPU to replace a pod', () => {
    const onGpu = all.filter((w) => JSON.stringify(w.pod.containers[0]!.resources).includes('nvidia.com/'));
    for (const { spec, component } of onGpu) {
      expect(spec.strategy?.type === 'Recreate' || spec.strategy?.rollingUpdate?.['maxSurge'] === 0, component).toBe(
        true,
      );
    }
  });

  test('gives every pod longer to end than it needs', () => {
    for (const { object, pod, component } of all) {
      if (object.kind !== 'Pod') expect(pod.terminationGracePeriodSeconds, component).toBeGreaterThan(DRAIN_SECONDS);
    }
  });

  test('makes a PodDisruptionBudget where more than one pod is meant to run, and nowhere else', () => {
    for (const { object, spec, component } of all) {
      if (object.kind === 'Pod' || spec.replicas === undefined) continue;
      expect(pick(objects, 'PodDisruptionBudget', component) !== undefined, component).toBe(spec.replicas > 1);
    }
  });

  test('lets the teacher-proxy leave the cluster, and nobody else further than the named addresses', () => {
    const wide = named(objects, 'NetworkPolicy').filter((policy) => JSON.stringify(policy).includes('"0.0.0.0/0"'));
    expect(wide.map((policy) => policy.metadata.labels?.['app.kubernetes.io/component'])).toEqual(['teacher-proxy']);
    for (const { labels, object, component } of all) {
      if (object.kind === 'Pod') continue;
      const policy = pick(objects, 'NetworkPolicy', component);
      const { podSelector, policyTypes, egress } = specOf<{
        podSelector: { matchLabels: Record<string, string> };
        policyTypes: string[];
        egress: { to?: unknown[] }[];
      }>(policy!);
      expect(labels).toMatchObject(podSelector.matchLabels);
      expect(policyTypes).toEqual(['Ingress', 'Egress']);
      // A rule without `to` is a way to everywhere.
      for (const rule of egress) expect(rule.to?.length, component).toBeGreaterThan(0);
    }
  });

  test('asks each service by gRPC on a port of its own whether it is well', () => {
    for (const component of SERVICES) {
      const { pod } = all.find((w) => w.component === component && w.object.kind === 'Deployment')!;
      const [container] = pod.containers;
      expect(container).toMatchObject({
        startupProbe: { grpc: { port: 7710 } },
        readinessProbe: { grpc: { port: 7710 } },
        livenessProbe: { grpc: { port: 7710, service: 'liveness' } },
      });
    }
  });
});

describe('the chart', () => {
  test('has no autoscaler by default, and one of its kinds where asked', () => {
    const kinds = (mode: string, ...more: string[]) =>
      render({ set: [...FEWEST, `teacherProxy.autoscaling.mode=${mode}`, ...more] })
        .map(({ kind }) => kind)
        .filter((kind) => kind === 'HorizontalPodAutoscaler' || kind === 'ScaledObject');
    expect(kinds('none')).toEqual([]);
    expect(kinds('hpa', 'monitoring.prometheusRule.enabled=true')).toEqual(['HorizontalPodAutoscaler']);
    expect(kinds('keda', 'teacherProxy.autoscaling.keda.prometheusAddress=http://p:9090')).toEqual(['ScaledObject']);
  });

  test('leaves the replicas of an autoscaled teacher-proxy alone', () => {
    const objects = render({
      set: [...FEWEST, 'teacherProxy.autoscaling.mode=hpa', 'monitoring.prometheusRule.enabled=true'],
    });
    expect(specOf<object>(pick(objects, 'Deployment', 'teacher-proxy')!)).not.toHaveProperty('replicas');
  });

  test('pins images by digest, and the GPU image where a GPU is asked for', () => {
    const digest = `sha256:${'a'.repeat(64)}`;
    const images = (set: string[]) =>
      Object.fromEntries(
        workloads(render({ set: [...FEWEST, ...set] }))
          .filter(({ object }) => object.kind === 'Deployment')
          .map(({ component, pod }) => [component, pod.containers[0]!.image]),
      );
    expect(
      images([
        'image.registry=registry.example.com/team',
        `image.digest=${digest}`,
        'gpuImage.tag=v9',
        'synthesis.gpu.enabled=false',
        'orchestrator.image.tag=own',
      ]),
    ).toEqual({
      orchestrator: 'registry.example.com/team/bbdistill/bbdistill:own',
      'teacher-proxy': `registry.example.com/team/bbdistill/bbdistill@${digest}`,
      synthesis: `registry.example.com/team/bbdistill/bbdistill@${digest}`,
      'student-trainer': 'registry.example.com/team/bbdistill/bbdistill-gpu:v9',
    });
  });

  test('starts the proxy anew when its teachers change, and not otherwise', () => {
    const annotations = (url: string, level = 'info') => {
      const objects = render({
        set: [
          ...FEWEST,
          'teachers.config.metered.adapter=open-inference-http',
          `teachers.config.metered.url=${url}`,
          `orchestrator.logLevel=${level}`,
        ],
      });
      const spec = specOf<{ template: { metadata: { annotations: Record<string, string> } } }>(
        pick(objects, 'Deployment', 'teacher-proxy')!,
      );
      return spec.template.metadata.annotations['checksum/teachers'];
    };
    expect(annotations('http://a')).toMatch(/^[0-9a-f]{64}$/);
    expect(annotations('http://a')).not.toBe(annotations('http://b'));
    expect(annotations('http://a')).toBe(annotations('http://a', 'debug'));
  });

  test('keeps one server’s messages on disk before it acknowledges them', () => {
    const conf = (replicas: number) => {
      const objects = render({ set: [...FEWEST, `nats.replicas=${replicas}`] });
      return (pick(objects, 'ConfigMap', 'nats')!['data'] as Record<string, string>)['nats.conf']!;
    };
    expect(conf(1)).toContain('sync_interval: always');
    expect(conf(3)).not.toContain('sync_interval');
    expect(conf(3)).toContain('routes');
  });

  test('asks for a disk at the first install: it can’t be added later', () => {
    const { volumeClaimTemplates } = specOf<{ volumeClaimTemplates: object[] }>(
      pick(render({ set: [...FEWEST, 'nats.storage.size=7Gi'] }), 'StatefulSet', 'nats')!,
    );
    expect(volumeClaimTemplates).toMatchObject([{ spec: { resources: { requests: { storage: '7Gi' } } } }]);
  });

  test('works as a part of another chart', () => {
    expect(render({ set: [...FEWEST, 'global.anything.at=all', 'enabled=true'] }).length).toBeGreaterThan(10);
  });

  test.each([
    ['plain text', [], 'kubernetes.io/h2c'],
    ['TLS', ['tls.existingSecret=tls'], 'https'],
  ])('tells gateways and meshes that the services speak %s', (_what, set, appProtocol) => {
    const objects = render({ set: [...FEWEST, ...set] });
    const ports = SERVICES.map((component) => {
      const service = specOf<{ ports: { name: string; appProtocol?: string }[] }>(pick(objects, 'Service', component)!);
      return service.ports.find(({ name }) => name === 'grpc')?.appProtocol;
    });
    expect(ports).toEqual(SERVICES.map(() => appProtocol));
  });

  describe.each([
    { certificates: 'none', set: [], flags: [], files: [] },
    {
      certificates: 'those of the services',
      set: ['tls.existingSecret=tls'],
      flags: ['--ca-file'],
      files: ['ca.crt'],
    },
    {
      certificates: 'mutual ones',
      set: ['tls.existingSecret=tls', 'tls.mutual=true'],
      flags: ['--ca-file', '--cert-file', '--key-file'],
      files: ['ca.crt', 'tls.crt', 'tls.key'],
    },
  ])('with certificates: $certificates', ({ set, flags, files }) => {
    const options = {
      values: [NOTES],
      set: [...FEWEST, 'teachers.config.metered.adapter=fake', 'tests.planTeacher=metered', ...set],
    };
    const ofCertificates = /^--(tls|ca-file|cert-file|key-file)$/;

    test('the test that plans shows the orchestrator what it asks for', () => {
      const { pod } = workloads(render(options)).find(({ object }) => object.metadata.name.endsWith('-test-plan'))!;
      const { args = [], volumeMounts } = pod.containers[0]!;
      expect(args.filter((word) => ofCertificates.test(word))).toEqual(flags);
      expect(flags.map((flag) => args[args.indexOf(flag) + 1])).toEqual(
        files.map((file) => `/etc/bbdistill/tls/${file}`),
      );
      const mount = { name: 'tls', mountPath: '/etc/bbdistill/tls', readOnly: true };
      const volume = { name: 'tls', secret: { secretName: 'tls' } };
      expect(volumeMounts!.filter(({ name }) => name === 'tls')).toEqual(files.length > 0 ? [mount] : []);
      expect(pod.volumes!.filter((each) => each['name'] === 'tls')).toMatchObject(files.length > 0 ? [volume] : []);
    });

    test('the notes print commands that show it too', () => {
      const notes = render(options).find(({ metadata }) => metadata.name === 'notes')!;
      const lines = (notes['data'] as { text: string }).text.split('\n').map((line) => line.trim());
      const commands = lines.filter((line) => /^bbdistill (plan|run) /.test(line));
      expect(commands).toHaveLength(2);
      for (const command of commands) {
        expect(command.split(' ').filter((word) => ofCertificates.test(word))).toEqual(flags);
        // Through the port-forward its name isn't the host's.
        expect(command.endsWith(' --server-name demo-bbdistill-orchestrator.distill.svc')).toBe(files.length > 0);
      }
      for (const file of files) {
        const key = file.replace('.', String.raw`\.`);
        expect(lines).toContain(
          `kubectl -n distill get secret tls -o jsonpath='{.data.${key}}' | base64 -d > bbdistill-tls/${file}`,
        );
      }
    });
  });
});
