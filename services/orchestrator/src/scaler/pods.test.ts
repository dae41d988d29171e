import { expect, test } from 'vitest';
import { whyWaiting } from './pods.js';
import type { PodView } from './pods.js';

const pod = (change: Partial<PodView> = {}): PodView => ({
  name: 'p',
  uid: 'u',
  createdAtMs: 1,
  isReady: false,
  isLeaving: false,
  ...change,
});

test.each<{ name: string; pods: PodView[]; warnings?: string[]; says: string | undefined }>([
  { name: 'a ready pod works', pods: [pod({ isReady: true })], says: undefined },
  { name: 'one ready pod is enough', pods: [pod({ unschedulable: 'x' }), pod({ isReady: true })], says: undefined },
  {
    name: 'a pod that leaves doesn’t count',
    pods: [pod({ isReady: true, isLeaving: true })],
    says: 'pod p is ending, another one will be made',
  },
  {
    name: 'no node',
    pods: [pod({ unschedulable: '0/1 nodes are available' })],
    says: 'pod p finds no node: 0/1 nodes are available',
  },
  {
    name: 'no image',
    pods: [pod({ container: { reason: 'ImagePullBackOff', message: 'Back-off pulling image "x"' } })],
    says: 'pod p does not start: ImagePullBackOff: Back-off pulling image "x"',
  },
  {
    name: 'a reason without words',
    pods: [pod({ container: { reason: 'CrashLoopBackOff', message: '' } })],
    says: 'pod p does not start: CrashLoopBackOff',
  },
  {
    name: 'starting',
    pods: [pod({ container: { reason: 'ContainerCreating', message: '' } })],
    says: 'pod p is starting',
  },
  {
    name: 'an evicted one beside its successor',
    pods: [pod({ evicted: 'memory' }), pod({ name: 'q', createdAtMs: 2 })],
    says: 'pod q is starting',
  },
  { name: 'an evicted one alone', pods: [pod({ evicted: 'memory' })], says: 'pod p was evicted: memory' },
  {
    name: 'a pod that may not be made',
    pods: [],
    warnings: ['old', 'no pod can be made: quota'],
    says: 'no pod can be made: quota',
  },
  { name: 'nothing yet', pods: [], says: 'no pod has been made yet' },
])('why a worker waits - $name', ({ pods, warnings = [], says }) => {
  expect(whyWaiting(pods, warnings)).toBe(says);
});
