import { ApiException } from '@kubernetes/client-node';
import type { CoreV1Api, V1Pod } from '@kubernetes/client-node';
import { waitFor } from '../helpers/wait-for.js';

const POLL_MS = 200;

export interface FakeNode {
  name: string;
  labels?: Record<string, string>;
  /** Extended resources, e.g. `nvidia.com/gpu`. */
  resources?: Record<string, string>;
  tainted?: boolean;
}

export const CPU_NODE: FakeNode = { name: 'cpu-0' };
export const GPU_NODE: FakeNode = {
  name: 'gpu-0',
  labels: { 'nvidia.com/gpu.present': 'true' },
  resources: { 'nvidia.com/gpu': '2' },
  tainted: true,
};

/** A Node object that is ready; nothing runs on it but what a {@link Kubelet} stands in for. */
export async function addNode(
  core: CoreV1Api,
  { name, labels = {}, resources = {}, tainted }: FakeNode,
): Promise<void> {
  await core.createNode({
    body: {
      metadata: { name, labels: { 'kubernetes.io/hostname': name, ...labels } },
      ...(tainted && { spec: { taints: [{ key: 'nvidia.com/gpu', effect: 'NoSchedule' }] } }),
    },
  });
  const capacity = { cpu: '32', memory: '128Gi', pods: '110', 'ephemeral-storage': '1Ti', ...resources };
  await waitFor(`node ${name} to be ready`, async () => {
    const node = await core.readNodeStatus({ name });
    const now = new Date();
    node.status = {
      ...node.status,
      capacity,
      allocatable: capacity,
      conditions: [
        { type: 'Ready', status: 'True', reason: 'Fake', message: '', lastHeartbeatTime: now, lastTransitionTime: now },
      ],
    };
    try {
      return await core.replaceNodeStatus({ name, body: node });
    } catch (error) {
      // A controller changed the node meanwhile.
      if (error instanceof ApiException && error.code === 409) return undefined;
      throw error;
    }
  });
}

export interface KubeletHooks {
  /** A pod was bound to a node; called again where its state could not be written. What it returns comes true: `ready`, or why its container waits. */
  start(pod: V1Pod): Promise<'ready' | { reason: string; message: string }>;
  /** A pod has been told to end. */
  stop(pod: V1Pod): Promise<void>;
}

export const componentOf = (pod: V1Pod) => pod.metadata?.labels?.['app.kubernetes.io/component'] ?? '';

/** Stands in for the kubelets of all fake nodes: says of bound pods that they run, and lets go of those that end. */
export class Kubelet {
  readonly #stop = new AbortController();
  readonly #begun = new Set<string>();
  readonly #looping: Promise<void>;
  readonly errors: unknown[] = [];

  constructor(
    private readonly core: CoreV1Api,
    private readonly namespace: string,
    private readonly hooks: KubeletHooks,
  ) {
    this.#looping = this.#loop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#looping;
  }

  async #loop(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      try {
        const { items } = await this.core.listNamespacedPod({ namespace: this.namespace });
        for (const { reason } of await this.#seeAll(items)) this.errors.push(reason);
      } catch (error) {
        // The API server is killed on purpose.
        this.errors.push(error);
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  async #seeAll(pods: readonly V1Pod[]): Promise<PromiseRejectedResult[]> {
    const seen = await Promise.allSettled(pods.map((pod) => this.#see(pod)));
    return seen.filter((each) => each.status === 'rejected');
  }

  async #see(pod: V1Pod): Promise<void> {
    const uid = pod.metadata!.uid!;
    if (pod.metadata?.deletionTimestamp !== undefined) {
      if (this.#begun.delete(uid)) await this.hooks.stop(pod);
      await this.core.deleteNamespacedPod({
        name: pod.metadata.name!,
        namespace: this.namespace,
        gracePeriodSeconds: 0,
      });
    } else if (pod.spec?.nodeName !== undefined && pod.status?.phase === 'Pending' && !this.#begun.has(uid)) {
      this.#begun.add(uid);
      try {
        await this.#setStatus(pod, await this.hooks.start(pod));
      } catch (error) {
        // The scheduler or a controller changed the pod meanwhile: the next look tries again.
        this.#begun.delete(uid);
        throw error;
      }
    }
  }

  async #setStatus(pod: V1Pod, outcome: Awaited<ReturnType<KubeletHooks['start']>>): Promise<void> {
    const { name, namespace } = { name: pod.metadata!.name!, namespace: this.namespace };
    const current = await this.core.readNamespacedPodStatus({ name, namespace });
    const isReady = outcome === 'ready';
    const status = isReady ? 'True' : 'False';
    const condition = (type: string) => ({ type, status, lastTransitionTime: new Date() });
    const [container] = current.spec!.containers;
    current.status = {
      ...current.status,
      ...(isReady && { phase: 'Running' }),
      conditions: [
        ...(current.status?.conditions ?? []).filter(({ type }) => type === 'PodScheduled'),
        ...['Initialized', 'ContainersReady', 'Ready'].map(condition),
      ],
      containerStatuses: [
        {
          name: container!.name,
          image: container!.image!,
          imageID: '',
          ready: isReady,
          restartCount: 0,
          state: isReady ? { running: { startedAt: new Date() } } : { waiting: outcome },
        },
      ],
    };
    await this.core.replaceNamespacedPodStatus({ name, namespace, body: current });
  }
}
