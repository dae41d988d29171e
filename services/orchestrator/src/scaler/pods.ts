/** What a worker's pod tells of itself, whatever the cluster. */
export interface PodView {
  name: string;
  /** Tells a pod from a later one of the same name. */
  uid: string;
  createdAtMs: number;
  isReady: boolean;
  /** It has been told to end. */
  isLeaving: boolean;
  /** Why the scheduler finds no node for it. */
  unschedulable?: string;
  /** Why its container doesn't run, e.g. `ImagePullBackOff`. */
  container?: { reason: string; message: string };
  /** Who put it off its node and why. */
  evicted?: string;
}

/** Reasons of a container that wait on nothing but time. */
const STARTING = ['ContainerCreating', 'PodInitializing'];

/**
 * Why a worker doesn't work, for those who watch a run.
 * @param warnings what the cluster warned of where no pod could be made, newest last
 * @returns `undefined` where a pod is ready
 */
export function whyWaiting(pods: readonly PodView[], warnings: readonly string[]): string | undefined {
  if (pods.some(({ isReady, isLeaving }) => isReady && !isLeaving)) return undefined;
  const current = pods.filter(({ evicted, isLeaving }) => evicted === undefined && !isLeaving);
  const reasons = current.map(reasonOf).filter((reason) => reason !== undefined);
  const [reason] = reasons;
  if (reason !== undefined) return reason;
  if (current.length > 0) return `pod ${newest(current).name} is starting`;
  if (pods.length > 0)
    return evictionOf(newest(pods)) ?? `pod ${newest(pods).name} is ending, another one will be made`;
  return warnings.at(-1) ?? 'no pod has been made yet';
}

/** What happened to a pod that had work in hand. */
export function evictionOf({ name, evicted }: PodView): string | undefined {
  return evicted === undefined ? undefined : `pod ${name} was evicted: ${evicted}`;
}

function reasonOf({ name, unschedulable, container }: PodView): string | undefined {
  if (unschedulable !== undefined) return `pod ${name} finds no node: ${unschedulable}`;
  if (container === undefined || STARTING.includes(container.reason)) return undefined;
  const { reason, message } = container;
  return `pod ${name} does not start: ${reason}${message === '' ? '' : `: ${message}`}`;
}

function newest(pods: readonly PodView[]): PodView {
  return [...pods].sort((a, b) => b.createdAtMs - a.createdAtMs)[0]!;
}
