import { readFileSync } from 'node:fs';
import {
  ApiException,
  AppsV1Api,
  CoreV1Api,
  KubeConfig,
  ServerConfiguration,
  createConfiguration,
} from '@kubernetes/client-node';
import type { CoreV1Event, Middleware, V1Pod, V1Scale } from '@kubernetes/client-node';
import { ConfigError, ConflictError, FailedPreconditionError, UnavailableError } from '@bbdistill/common';
import type { BbdError } from '@bbdistill/common';
import type { PodView } from './pods.js';
import { SCALED_MEANWHILE } from './scaler.js';
import type { Scale, WorkerCluster } from './scaler.js';
import type { Worker } from './workers.js';

const REQUEST_TIMEOUT_MS = 10_000;
const MAX_PODS = 100;
const MAX_EVENTS = 200;
const SERVICE_ACCOUNT_NAMESPACE = '/var/run/secrets/kubernetes.io/serviceaccount/namespace';

export interface KubernetesClusterOptions {
  /** Names of the Deployments. */
  deployments: Readonly<Record<Worker, string>>;
  /** Default: the pod's own, or that of the kubeconfig. */
  namespace?: string;
  /** File that says where the API is. Default: the service account of this pod. */
  kubeconfig?: string;
}

/** Deployments of one namespace, through the Kubernetes API: their scale, their pods, and events about those. */
export class KubernetesCluster implements WorkerCluster {
  private constructor(
    private readonly apps: AppsV1Api,
    private readonly core: CoreV1Api,
    private readonly namespace: string,
    private readonly deployments: Readonly<Record<Worker, string>>,
  ) {}

  /** @throws ConfigError where neither a service account nor a kubeconfig says where the API is */
  static open({ deployments, namespace, kubeconfig }: KubernetesClusterOptions): KubernetesCluster {
    const config = new KubeConfig();
    try {
      if (kubeconfig === undefined) config.loadFromCluster();
      else config.loadFromFile(kubeconfig);
      const cluster = config.getCurrentCluster();
      if (!cluster?.server || /undefined/.test(cluster.server)) throw new Error('it names no server');
      const configuration = createConfiguration({
        baseServer: new ServerConfiguration(cluster.server, {}),
        authMethods: { default: config },
        promiseMiddleware: [WITH_TIMEOUT],
      });
      const where = namespace ?? config.getContextObject(config.getCurrentContext())?.namespace ?? ownNamespace();
      const apps = new AppsV1Api(configuration);
      return new KubernetesCluster(apps, new CoreV1Api(configuration), where, deployments);
    } catch (cause) {
      const source = kubeconfig ?? 'the service account of this pod';
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new ConfigError(
        `workers can't be scaled: ${source} does not say how to reach the Kubernetes API (${reason}). Run in a pod with ` +
          'a service-account token, or set scalerKubeconfig (BBDISTILL_SCALER_KUBECONFIG)',
        { code: 'NO_CLUSTER', cause },
      );
    }
  }

  async scaleOf(worker: Worker): Promise<Scale> {
    const scale = await this.#ask(worker, 'read the scale of', () =>
      this.apps.readNamespacedDeploymentScale(this.#named(worker)),
    );
    return {
      replicas: scale.spec?.replicas ?? 0,
      revision: scale.metadata?.resourceVersion ?? '',
      selector: scale.status?.selector ?? '',
    };
  }

  async setReplicas(worker: Worker, { revision }: Scale, replicas: number): Promise<void> {
    const body: V1Scale = {
      apiVersion: 'autoscaling/v1',
      kind: 'Scale',
      metadata: { ...this.#named(worker), resourceVersion: revision },
      spec: { replicas },
    };
    await this.#ask(worker, 'scale', () =>
      this.apps.replaceNamespacedDeploymentScale({ ...this.#named(worker), body }),
    );
  }

  async podsOf(worker: Worker, { selector }: Scale): Promise<PodView[]> {
    // An empty selector would be every pod of the namespace.
    if (selector === '') return [];
    const { namespace } = this;
    const { items } = await this.#ask(worker, 'list the pods of', () =>
      this.core.listNamespacedPod({ namespace, labelSelector: selector, limit: MAX_PODS }),
    );
    return items.map(podView);
  }

  async warningsOf(worker: Worker): Promise<string[]> {
    const { namespace } = this;
    const fieldSelector = 'type=Warning,involvedObject.kind=ReplicaSet';
    const { items } = await this.#ask(worker, 'list events about', () =>
      this.core.listNamespacedEvent({ namespace, fieldSelector, limit: MAX_EVENTS }),
    );
    return items
      .filter(({ involvedObject }) => involvedObject.name?.startsWith(`${this.deployments[worker]}-`))
      .sort((a, b) => timeOf(a) - timeOf(b))
      .map(({ reason, message }) => `no pod can be made: ${reason ?? 'unknown'}: ${message ?? ''}`);
  }

  #named(worker: Worker): { name: string; namespace: string } {
    return { name: this.deployments[worker], namespace: this.namespace };
  }

  async #ask<T>(worker: Worker, what: string, request: () => Promise<T>): Promise<T> {
    try {
      return await request();
    } catch (cause) {
      throw kubernetesError(cause, `${what} Deployment ${this.namespace}/${this.deployments[worker]}`);
    }
  }
}

/** Without it a call to an API server that hangs would never end. */
const WITH_TIMEOUT: Middleware = {
  pre: async (context) => {
    context.setSignal(AbortSignal.timeout(REQUEST_TIMEOUT_MS));
    return context;
  },
  post: async (context) => context,
};

function ownNamespace(): string {
  return readFileSync(SERVICE_ACCOUNT_NAMESPACE, 'utf8').trim();
}

function podView({ metadata, status }: V1Pod): PodView {
  const condition = (type: string) => status?.conditions?.find((each) => each.type === type);
  const scheduled = condition('PodScheduled');
  const disrupted = condition('DisruptionTarget');
  const waiting = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])]
    .map(({ state }) => state?.waiting)
    .find((state) => state !== undefined);
  const evicted =
    status?.reason === 'Evicted'
      ? (status.message ?? 'no reason was given')
      : disrupted?.status === 'True'
        ? [disrupted.reason, disrupted.message].filter((text) => text !== undefined && text !== '').join(': ')
        : undefined;
  return {
    name: metadata?.name ?? '',
    uid: metadata?.uid ?? '',
    createdAtMs: metadata?.creationTimestamp?.getTime() ?? 0,
    isReady: condition('Ready')?.status === 'True',
    isLeaving: metadata?.deletionTimestamp !== undefined,
    ...(scheduled?.status === 'False' && { unschedulable: scheduled.message ?? scheduled.reason ?? 'unknown' }),
    ...(waiting && { container: { reason: waiting.reason ?? 'Waiting', message: waiting.message ?? '' } }),
    ...(evicted !== undefined && { evicted }),
  };
}

function timeOf({ lastTimestamp, eventTime, firstTimestamp }: CoreV1Event): number {
  return (lastTimestamp ?? eventTime ?? firstTimestamp)?.getTime() ?? 0;
}

function kubernetesError(cause: unknown, what: string): BbdError {
  if (!(cause instanceof ApiException)) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    return new UnavailableError(
      `the Kubernetes API can't be reached to ${what} (${reason}): pods are scaled when it answers again`,
      { code: 'CLUSTER_UNREACHABLE', cause },
    );
  }
  const said = messageOf(cause.body);
  switch (cause.code) {
    case 409:
      return new ConflictError(`somebody else was faster to ${what}: ${said}`, { code: SCALED_MEANWHILE, cause });
    case 401:
    case 403:
      return new FailedPreconditionError(
        `the orchestrator may not ${what}: give its service account the chart's Role (${said})`,
        { code: 'CLUSTER_FORBIDS', cause },
      );
    case 404:
      return new FailedPreconditionError(
        `there is nothing to ${what}: check scalerSynthesis, scalerStudentTrainer and scalerNamespace (${said})`,
        { code: 'DEPLOYMENT_NOT_FOUND', cause },
      );
    default:
      return new UnavailableError(`the Kubernetes API failed to ${what} with status ${cause.code}: ${said}`, {
        code: 'CLUSTER_FAILS',
        cause,
      });
  }
}

/** Kubernetes answers with a Status object, sometimes still as text. */
function messageOf(body: unknown): string {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const found = /"message":"((?:[^"\\]|\\.)*)"/.exec(text ?? '')?.[1];
  return found === undefined ? (text ?? '') : (JSON.parse(`"${found}"`) as string);
}
