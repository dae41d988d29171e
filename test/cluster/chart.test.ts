import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { V1Pod } from '@kubernetes/client-node';
import { waitFor } from '../helpers/wait-for.js';
import { CHART } from '../helm/chart.js';
import { ControlPlane } from './control-plane.js';
import { CPU_NODE, GPU_NODE, Kubelet, addNode, componentOf } from './fake-nodes.js';
import { NAMESPACE, RELEASE, helmDo, nameOf, prepareNamespace } from './release.js';

const WAIT_MS = 120_000;
const COMPONENTS = ['nats', 'orchestrator', 'student-trainer', 'synthesis', 'teacher-proxy'];
const ON_GPU = ['synthesis', 'student-trainer'];
const namespace = NAMESPACE;

describe('the chart on a real API server', () => {
  let plane: ControlPlane;
  let kubelet: Kubelet;
  let api: ReturnType<ControlPlane['api']>;

  const pods = async () => (await api.core.listNamespacedPod({ namespace })).items;
  const deployment = (component: string) => api.apps.readNamespacedDeployment({ name: nameOf(component), namespace });
  const scale = (component: string, replicas: number) =>
    plane.kubectl('scale', `deployment/${nameOf(component)}`, `--replicas=${replicas}`, '-n', namespace);
  const areReady = (found: V1Pod[]) =>
    found.every(({ status }) => status?.conditions?.some((each) => each.type === 'Ready' && each.status === 'True'));
  const allReady = () =>
    waitFor(
      'a pod of each component',
      async () => {
        const found = await pods();
        const there = [...new Set(found.map(componentOf))].sort();
        return JSON.stringify(there) === JSON.stringify(COMPONENTS) && areReady(found) ? found : undefined;
      },
      WAIT_MS,
    );

  beforeAll(async () => {
    plane = await ControlPlane.start();
    api = plane.api();
    kubelet = new Kubelet(api.core, namespace, { start: async () => 'ready', stop: async () => undefined });
    await prepareNamespace(plane);
    await addNode(api.core, CPU_NODE);
    await addNode(api.core, GPU_NODE);
    helmDo(plane, 'install');
  });
  afterAll(async () => {
    await kubelet?.[Symbol.asyncDispose]();
    await plane?.[Symbol.asyncDispose]();
  });

  test('is installed, under the restricted pod security standard', async () => {
    expect(await allReady()).toHaveLength(COMPONENTS.length);
  });

  test('puts synthesis and student-trainer on GPU nodes and the rest off them', async () => {
    for (const pod of await allReady()) {
      const expected = ON_GPU.includes(componentOf(pod)) ? GPU_NODE.name : CPU_NODE.name;
      expect(pod.spec?.nodeName, componentOf(pod)).toBe(expected);
    }
  });

  test('keeps the others off a GPU node that no taint protects', async () => {
    await addNode(api.core, { ...GPU_NODE, name: 'gpu-open', tainted: false });
    try {
      const before = new Set((await pods()).map((pod) => pod.metadata!.uid));
      for (const component of ['orchestrator', 'teacher-proxy']) {
        plane.kubectl('rollout', 'restart', `deployment/${nameOf(component)}`, '-n', namespace);
      }
      const moved = await waitFor(
        'the new pods',
        async () => {
          const fresh = (await pods()).filter((pod) => !before.has(pod.metadata!.uid));
          return fresh.length === 2 && areReady(fresh) && (await pods()).length === COMPONENTS.length && fresh;
        },
        WAIT_MS,
      );
      expect(moved.map((pod) => pod.spec?.nodeName)).toEqual([CPU_NODE.name, CPU_NODE.name]);
    } finally {
      await api.core.deleteNode({ name: 'gpu-open' });
    }
  });

  test('changes nothing by an upgrade with the same values', async () => {
    const generations = async () =>
      (await Promise.all(COMPONENTS.slice(1).map(deployment))).map((d) => d.metadata?.generation);
    const before = await generations();
    helmDo(plane, 'upgrade');
    expect(await generations()).toEqual(before);
    const manifest = plane.helm('get', 'manifest', RELEASE, '--namespace', namespace).stdout;
    const { ok, stdout, stderr } = plane.diff(manifest, namespace);
    expect(stdout + stderr).toBe('');
    expect(ok).toBe(true);
  });

  test('shows a change in kubectl diff: the check above can fail', () => {
    const manifest = plane.helm('get', 'manifest', RELEASE, '--namespace', namespace).stdout;
    expect(plane.diff(manifest.replace('value: "info"', 'value: "debug"'), namespace).ok).toBe(false);
  });

  test('leaves the pods that the orchestrator asked for alone, by an upgrade in the middle of a run', async () => {
    scale('synthesis', 0);
    scale('student-trainer', 2);
    await waitFor(
      'two trainers',
      async () => (await pods()).filter((pod) => componentOf(pod) === 'student-trainer').length === 2,
      WAIT_MS,
    );
    helmDo(plane, 'upgrade', { studentTrainer: { logLevel: 'debug' } });
    expect((await deployment('student-trainer')).spec).toMatchObject({ replicas: 2, strategy: { type: 'Recreate' } });
    expect((await deployment('synthesis')).spec?.replicas).toBe(0);
    // Recreate: the two GPUs are free before the new pods ask for them.
    await waitFor(
      'trainers with the new setting',
      async () => {
        const found = (await pods()).filter((pod) => componentOf(pod) === 'student-trainer');
        const level = (pod: V1Pod) =>
          pod.spec?.containers[0]?.env?.find(({ name }) => name === 'BBDISTILL_LOG_LEVEL')?.value;
        return found.length === 2 && areReady(found) && found.every((pod) => level(pod) === 'debug');
      },
      WAIT_MS,
    );
  });

  test('is rolled back, and the pods that the orchestrator asked for stay', async () => {
    const { ok, stderr } = plane.helm('rollback', RELEASE, '1', '--namespace', namespace);
    expect(ok, stderr).toBe(true);
    const { spec } = await deployment('student-trainer');
    expect(spec?.replicas).toBe(2);
    expect(spec?.template.spec?.containers[0]?.env).toContainEqual({ name: 'BBDISTILL_LOG_LEVEL', value: 'info' });
    scale('student-trainer', 1);
    scale('synthesis', 1);
    await allReady();
  });

  test('has its autoscaler and its disruption budgets accepted', async () => {
    helmDo(
      plane,
      'upgrade',
      {
        orchestrator: { replicas: 2 },
        teacherProxy: { autoscaling: { mode: 'hpa', minReplicas: 2, maxReplicas: 4 } },
      },
      '--set',
      'monitoring.prometheusRule.enabled=true',
      '--post-renderer',
      plane.withoutOperators(),
    );
    const hpa = await api.autoscaling.readNamespacedHorizontalPodAutoscaler({
      name: nameOf('teacher-proxy'),
      namespace,
    });
    expect(hpa.spec).toMatchObject({
      minReplicas: 2,
      maxReplicas: 4,
      scaleTargetRef: { name: nameOf('teacher-proxy') },
    });
    const budgets = await api.policy.listNamespacedPodDisruptionBudget({ namespace });
    expect(budgets.items.map(({ metadata }) => metadata?.name).sort()).toEqual([
      nameOf('orchestrator'),
      nameOf('teacher-proxy'),
    ]);
    await waitFor(
      'a budget that knows its pods',
      async () =>
        (await api.policy.readNamespacedPodDisruptionBudget({ name: nameOf('orchestrator'), namespace })).status
          ?.disruptionsAllowed === 1,
      WAIT_MS,
    );
  });

  test('refuses bad values before anything reaches the cluster', () => {
    const { ok, stderr } = plane.helm(
      'upgrade',
      RELEASE,
      CHART,
      '--namespace',
      namespace,
      '--set',
      'orchestrator.replica=2',
    );
    expect(ok).toBe(false);
    expect(stderr).toContain("additional properties 'replica' not allowed");
  });

  test('is uninstalled; what was paid for stays on NATS’s disk', async () => {
    const { ok, stderr } = plane.helm('uninstall', RELEASE, '--namespace', namespace);
    expect(ok, stderr).toBe(true);
    await waitFor('the pods to go', async () => (await pods()).length === 0, WAIT_MS);
    const left = plane.kubectl(
      'get',
      'all,networkpolicies,roles,rolebindings,poddisruptionbudgets,hpa',
      '-n',
      namespace,
      '-o',
      'name',
    );
    expect(left.stdout).toBe('');
    const claims = await api.core.listNamespacedPersistentVolumeClaim({ namespace });
    expect(claims.items.map(({ metadata }) => metadata?.name)).toEqual([`data-${nameOf('nats')}-0`]);
  });
});
