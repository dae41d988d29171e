import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { JobClient, connect, encodeImages, openNatsStores, systemClock } from '@bbdistill/common';
import type { ServiceClient } from '@bbdistill/common';
import type { Run__Output } from '@bbdistill/common/gen/bbdistill/v1/Run.js';
import type { RunEvent__Output } from '@bbdistill/common/gen/bbdistill/v1/RunEvent.js';
import { ApiException } from '@kubernetes/client-node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { LocalProcess } from '../../deploy/local/process.js';
import type { LocalSystem } from '../../deploy/local/system.js';
import { uploadImages } from '../../services/cli/src/upload.js';
import { chaosImages, chaosSpec } from '../chaos/runs.js';
import { startDistributed } from '../helpers/distributed.js';
import { startMeteredTeacher } from '../helpers/metered-teacher.js';
import type { MeteredTeacher } from '../helpers/metered-teacher.js';
import { waitFor } from '../helpers/wait-for.js';
import { ControlPlane } from './control-plane.js';
import { CPU_NODE, GPU_NODE, Kubelet, addNode, componentOf } from './fake-nodes.js';
import type { KubeletHooks } from './fake-nodes.js';
import { NAMESPACE, helmDo, nameOf, prepareNamespace } from './release.js';

const WAIT_MS = 120_000;
const IDLE_MS = 2_000;
const CALL_MS = 150;
/** Where throughput is compared: what a process does beside must not hide what more of them do. */
const SLOW_CALL_MS = 600;
const SHARDS = 32;
const namespace = NAMESPACE;
const WORKERS = ['synthesis', 'student-trainer'] as const;

/**
 * Real: the API server, scheduler and controllers; orchestrator, teacher-proxy, synthesis, student-trainer and NATS as
 * processes. Stood in for: the kubelet, which starts such a process for each pod that the scheduler bound.
 */
describe('an orchestrator with the chart’s own service account', () => {
  let plane: ControlPlane;
  let api: ReturnType<ControlPlane['api']>;
  let teacher: MeteredTeacher;
  let system: LocalSystem;
  let kubelet: Kubelet;
  let orchestrator: ServiceClient<'bbdistill.v1.DistillationService'>;
  let serviceAccount: string;
  let images: string;
  const proxies = new Map<string, LocalProcess>();
  const seen = { replicas: new Map<string, number[]>() };
  let outcome: Awaited<ReturnType<KubeletHooks['start']>> = 'ready';

  const isWorker = (component: string): component is (typeof WORKERS)[number] =>
    (WORKERS as readonly string[]).includes(component);

  const hooks: KubeletHooks = {
    async start(pod) {
      const component = componentOf(pod);
      if (!isWorker(component)) {
        if (component === 'teacher-proxy' && proxies.has('first')) await startProxy(pod.metadata!.name!);
        return 'ready';
      }
      if (outcome !== 'ready') return outcome;
      if (!system.services[component].isRunning) await system.services[component].start();
      return 'ready';
    },
    async stop(pod) {
      const component = componentOf(pod);
      if (isWorker(component)) await system.services[component].stop();
    },
  };

  async function startProxy(name: string): Promise<void> {
    if (proxies.has(name)) return;
    const proxy = system.another('teacher-proxy', name);
    proxies.set(name, proxy);
    await proxy.start();
  }

  const replicasOf = async (component: string) =>
    (await api.apps.readNamespacedDeployment({ name: nameOf(component), namespace })).spec?.replicas ?? -1;

  /** Notes how many pods each worker is to have until the run is over. */
  async function watchReplicas(until: () => Promise<boolean>): Promise<void> {
    seen.replicas.clear();
    for (let isLast = false; !isLast;) {
      isLast = await until();
      for (const worker of WORKERS) {
        const known = seen.replicas.get(worker) ?? [];
        const now = await replicasOf(worker).catch(() => known.at(-1) ?? -1);
        if (known.at(-1) !== now) known.push(now);
        seen.replicas.set(worker, known);
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  const run = (runId: string) => orchestrator.unary('GetRun', { runId });
  const isOver = ({ state }: Run__Output) => !['RUN_STATE_PENDING', 'RUN_STATE_RUNNING'].includes(state);
  const create = (seed: number) =>
    orchestrator.unary('CreateRun', { requestId: `cluster-${seed}`, spec: chaosSpec(images, seed) });
  const atZero = () =>
    waitFor(
      'both workers to go to zero',
      async () => (await Promise.all(WORKERS.map(replicasOf))).every((replicas) => replicas === 0),
      WAIT_MS,
    );
  async function eventsOf(runId: string): Promise<RunEvent__Output[]> {
    const events: RunEvent__Output[] = [];
    for await (const event of orchestrator.serverStream('WatchRun', { runId, fromSequence: 1 })) events.push(event);
    return events;
  }

  /** Waits until the run says it. */
  async function toTell(runId: string, what: RegExp): Promise<void> {
    for await (const { message } of orchestrator.serverStream('WatchRun', { runId, fromSequence: 1 })) {
      if (what.test(message ?? '')) return;
    }
    throw new Error(`the run ended and never said ${String(what)}`);
  }

  beforeAll(async () => {
    plane = await ControlPlane.start();
    api = plane.api();
    await prepareNamespace(plane);
    await addNode(api.core, CPU_NODE);
    helmDo(plane, 'install');
    const { status } = await api.core.createNamespacedServiceAccountToken({
      name: nameOf('orchestrator'),
      namespace,
      body: { spec: { audiences: [], expirationSeconds: 3600 } },
    });
    serviceAccount = plane.kubeconfig('orchestrator', status!.token, namespace);

    teacher = await startMeteredTeacher({ latencyMs: CALL_MS });
    const folder = join(plane.folder, 'system');
    await mkdir(folder);
    system = await startDistributed({
      folder,
      teacher,
      imagesPerCall: 20,
      concurrency: 8,
      env: {
        BBDISTILL_ENGINE: 'wasm',
        BBDISTILL_JOB_CONCURRENCY: '1',
        // What the chart renders (helm/bbdistill/templates/orchestrator), but for how to reach the API.
        BBDISTILL_SCALER_SYNTHESIS: nameOf('synthesis'),
        BBDISTILL_SCALER_STUDENT_TRAINER: nameOf('student-trainer'),
        BBDISTILL_SCALER_NAMESPACE: namespace,
        BBDISTILL_SCALER_KUBECONFIG: serviceAccount,
        BBDISTILL_SCALER_IDLE_MS: String(IDLE_MS),
        BBDISTILL_SCALER_INTERVAL_MS: '500',
      },
    });
    // From here on they run where the cluster has a pod for them.
    for (const worker of WORKERS) await system.services[worker].stop();
    kubelet = new Kubelet(api.core, namespace, hooks);
    orchestrator = connect('bbdistill.v1.DistillationService', system.address);
    const uploaded = await uploadImages(orchestrator, { images: chaosImages() }, new AbortController().signal);
    images = uploaded.id;
  });
  afterAll(async () => {
    orchestrator?.close();
    await kubelet?.[Symbol.asyncDispose]();
    for (const proxy of proxies.values()) await proxy.stop().catch(() => undefined);
    await system?.stop();
    await teacher?.[Symbol.asyncDispose]();
    await plane?.[Symbol.asyncDispose]();
  });

  test('takes the pods of a first install away when nothing is to be done', async () => {
    await atZero();
  });

  test('says in the run that no node has a GPU', async () => {
    const { id } = await create(1);
    const stage = await waitFor(
      'a stage that says why it waits',
      async () => (await run(id)).stages.find(({ waitingFor }) => waitingFor.includes('finds no node')),
      WAIT_MS,
    );
    expect(stage.name).toBe('mix');
    expect(stage.waitingFor).toMatch(
      /^pod demo-bbdistill-synthesis-\S+ finds no node: 0\/1 nodes are available: .*nvidia\.com\/gpu/,
    );

    outcome = { reason: 'ImagePullBackOff', message: 'Back-off pulling image "bbdistill/bbdistill-gpu:0.1.0"' };
    await addNode(api.core, GPU_NODE);
    await waitFor(
      'a stage that says that there is no image',
      async () => (await run(id)).stages.some(({ waitingFor }) => waitingFor.includes('ImagePullBackOff: Back-off')),
      WAIT_MS,
    );

    outcome = 'ready';
    const { items } = await api.core.listNamespacedPod({ namespace });
    const stuck = items.find((pod) => componentOf(pod) === 'synthesis')!;
    await api.core.deleteNamespacedPod({ name: stuck.metadata!.name!, namespace });
    const ended = await waitFor('the run to end', async () => (isOver(await run(id)) ? run(id) : undefined), WAIT_MS);
    expect(ended.state, ended.failure?.message).toBe('RUN_STATE_SUCCEEDED');
    expect(ended.stages.filter(({ waitingFor }) => waitingFor !== '')).toEqual([]);
    const said = (await eventsOf(id)).map(({ stage: each }) => each?.waitingFor ?? '');
    expect(said.some((text) => text.includes('finds no node'))).toBe(true);
  });

  test('scales both workers 0 → 1 → 0 through a whole run', async () => {
    await atZero();
    const { id } = await create(2);
    const over = async () =>
      isOver(await run(id)) && (await Promise.all(WORKERS.map(replicasOf))).every((replicas) => replicas === 0);
    await waitFor(
      'the run to end and the pods to go',
      async () => {
        await watchReplicas(over);
        return true;
      },
      WAIT_MS,
    );
    expect((await run(id)).state).toBe('RUN_STATE_SUCCEEDED');
    for (const worker of WORKERS) expect(seen.replicas.get(worker), worker).toEqual([0, 1, 0]);
    for (const worker of WORKERS) {
      await waitFor(`the process of ${worker} to end`, () => !system.services[worker].isRunning, WAIT_MS);
    }
  });

  test('survives an outage of the API server in the middle of a run', async () => {
    await atZero();
    await plane.killApiServer();
    const { id } = await create(3);
    await waitFor(
      'a run that says what is wrong',
      async () =>
        (await run(id)).stages.some(({ waitingFor }) => waitingFor.includes("Kubernetes API can't be reached")),
      WAIT_MS,
    );
    await plane.startApiServer();
    const ended = await waitFor('the run to end', async () => (isOver(await run(id)) ? run(id) : undefined), WAIT_MS);
    expect(ended.state, ended.failure?.message).toBe('RUN_STATE_SUCCEEDED');
  });

  test('tells of an eviction, and the run goes on', async () => {
    await atZero();
    await teacher.control({ hold: true });
    const { id } = await create(4);
    const evicted = await waitFor(
      'a pod of synthesis',
      async () => {
        const { items } = await api.core.listNamespacedPod({ namespace });
        return items.find((pod) => componentOf(pod) === 'synthesis' && pod.status?.phase === 'Running');
      },
      WAIT_MS,
    );
    // A stage of synthesis must be under way for its run to be told: the teacher is held, so that "fit" waits for it.
    const { name } = evicted.metadata!;
    const pod = await api.core.readNamespacedPodStatus({ name: name!, namespace });
    pod.status = {
      ...pod.status,
      phase: 'Failed',
      reason: 'Evicted',
      message: 'The node was low on resource: memory.',
    };
    await api.core.replaceNamespacedPodStatus({ name: name!, namespace, body: pod });
    await toTell(id, /^synthesis: pod \S+ was evicted: The node was low on resource: memory\.$/);
    await teacher.control({ hold: false });
    const ended = await waitFor('the run to end', async () => (isOver(await run(id)) ? run(id) : undefined), WAIT_MS);
    expect(ended.state, ended.failure?.message).toBe('RUN_STATE_SUCCEEDED');
    await api.core.deleteNamespacedPod({ name: name!, namespace }).catch(() => undefined);
  });

  describe('is refused everything outside its Role', () => {
    const attempts: Record<string, (mine: ReturnType<ControlPlane['api']>) => Promise<unknown>> = {
      'reading Secrets': (mine) => mine.core.listNamespacedSecret({ namespace }),
      'making pods': (mine) => mine.core.createNamespacedPod({ namespace, body: { metadata: { name: 'x' } } }),
      'deleting pods': (mine) => mine.core.deleteCollectionNamespacedPod({ namespace }),
      'reading the two Deployments': (mine) =>
        mine.apps.readNamespacedDeployment({ name: nameOf('synthesis'), namespace }),
      'scaling another Deployment': (mine) =>
        mine.apps.readNamespacedDeploymentScale({ name: nameOf('teacher-proxy'), namespace }),
      'reading pods elsewhere': (mine) => mine.core.listNamespacedPod({ namespace: 'kube-system' }),
      'reading pods everywhere': (mine) => mine.core.listPodForAllNamespaces(),
      'scaling elsewhere': (mine) =>
        mine.apps.readNamespacedDeploymentScale({ name: nameOf('synthesis'), namespace: 'default' }),
      'reading nodes': (mine) => mine.core.listNode(),
      'giving itself rights': (mine) =>
        mine.rbac.createNamespacedRoleBinding({
          namespace,
          body: {
            metadata: { name: 'all' },
            roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
          },
        }),
    };

    test.each(Object.keys(attempts))('%s', async (what) => {
      const refused = await attempts[what]!(plane.api(serviceAccount)).then(
        () => undefined,
        (error: unknown) => error,
      );
      expect(refused).toBeInstanceOf(ApiException);
      expect((refused as ApiException<unknown>).code).toBe(403);
    });

    test('but not what it needs', async () => {
      const mine = plane.api(serviceAccount);
      await mine.apps.readNamespacedDeploymentScale({ name: nameOf('synthesis'), namespace });
      await mine.core.listNamespacedPod({ namespace });
      await mine.core.listNamespacedEvent({ namespace });
    });
  });

  test('four teacher-proxies ask four calls at a time where one asks one; the others stay as they are', async () => {
    const stores = await openNatsStores({ servers: [system.natsUrl], clock: systemClock, replicas: 1 });
    try {
      const jobs = new JobClient(stores, systemClock);
      /** Labels shards of one call each, of images that no run above had. */
      const label = async (seed: number) => {
        const { images: pixels, shape } = { images: chaosImages(SHARDS, seed), shape: chaosImages(1).shape };
        const size = shape.height * shape.width * shape.channels;
        const before = (await teacher.meter()).calls.length;
        const ids: string[] = [];
        for (let n = 0; n < SHARDS; n++) {
          const batch = { count: 1, shape, pixels: pixels.pixels.slice(n * size, (n + 1) * size) };
          const image = { blob: await stores.blobs.put(encodeImages(batch)), images: 1, shape };
          const request = {
            runId: `throughput-${seed}`,
            teacher: 'metered',
            phase: 'PHASE_SEEDS',
            images: image,
            classes: 4,
            budget: { images: 1_000, _images: 'images' },
          };
          ids.push((await jobs.submit('label', request)).id);
        }
        await Promise.all(ids.map((id) => jobs.result(id, new AbortController().signal)));
        const calls = (await teacher.meter()).calls.slice(before);
        expect(calls).toHaveLength(SHARDS);
        const open = calls.map(
          ({ openedAtMs }) =>
            calls.filter((other) => other.openedAtMs <= openedAtMs && other.closedAtMs! > openedAtMs).length,
        );
        // By the teacher's own clock: what comes before and after the calls is the same however many proxies there are.
        const from = Math.min(...calls.map(({ openedAtMs }) => openedAtMs));
        const to = Math.max(...calls.map(({ closedAtMs }) => closedAtMs!));
        return { atOnce: Math.max(...open), perSecond: (1000 * SHARDS) / (to - from) };
      };

      const others = async () => Promise.all(['orchestrator', ...WORKERS].map(replicasOf));
      await atZero();
      const before = await others();
      proxies.set('first', system.services['teacher-proxy']);
      await teacher.control({ latencyMs: SLOW_CALL_MS });
      const one = await label(101);
      // The decision that an autoscaler would take.
      const scaled = plane.kubectl('scale', `deployment/${nameOf('teacher-proxy')}`, '--replicas=4', '-n', namespace);
      expect(scaled.ok, scaled.stderr).toBe(true);
      await waitFor('four proxies', () => [...proxies.values()].filter((each) => each.isRunning).length === 4, WAIT_MS);
      const four = await label(102);
      expect([one.atOnce, four.atOnce]).toEqual([1, 4]);
      process.stdout.write(
        `shards/s with calls of ${SLOW_CALL_MS} ms: ${one.perSecond.toFixed(1)} by one proxy, ${four.perSecond.toFixed(1)} by four\n`,
      );
      expect(await others()).toEqual(before);
    } finally {
      await stores.close();
    }
  });
});
