import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CHART } from '../helm/chart.js';
import type { ControlPlane } from './control-plane.js';

export const NAMESPACE = 'distill';
export const RELEASE = 'demo';
export const nameOf = (component: string) => `${RELEASE}-bbdistill-${component}`;

/** Values of the tests: a GPU for each worker, tokens, the fewest rest. */
const VALUES = {
  auth: { existingSecret: 'bbdistill-auth' },
  nats: { auth: { existingSecret: 'bbdistill-nats' }, storage: { size: '1Gi', storageClassName: 'none' } },
  networkPolicy: { apiServer: { cidrs: ['10.0.0.1/32'] } },
  teachers: { config: { metered: { adapter: 'fake' } } },
};

/** Makes what an administrator makes before the first install, and a disk for NATS. */
export async function prepareNamespace(plane: ControlPlane): Promise<void> {
  const { core } = plane.api();
  await core.createNamespace({
    body: {
      metadata: {
        name: NAMESPACE,
        // The chart promises to run under the strictest of Kubernetes' standards.
        labels: { 'pod-security.kubernetes.io/enforce': 'restricted' },
      },
    },
  });
  const secret = (name: string, ...keys: string[]) =>
    core.createNamespacedSecret({
      namespace: NAMESPACE,
      body: { metadata: { name }, stringData: Object.fromEntries(keys.map((key) => [key, 'test'])) },
    });
  await secret('bbdistill-auth', 'api-token', 'services-token');
  await secret('bbdistill-nats', 'token');
  await core.createPersistentVolume({
    body: {
      metadata: { name: 'nats' },
      spec: {
        capacity: { storage: '1Gi' },
        accessModes: ['ReadWriteOnce'],
        storageClassName: 'none',
        hostPath: { path: '/nowhere' },
      },
    },
  });
}

/** `helm ACTION` of the chart with the tests' values and those given; fails the test with what helm said. */
export function helmDo(
  plane: ControlPlane,
  action: 'install' | 'upgrade',
  values: object = {},
  ...more: string[]
): void {
  const files = [VALUES, values].map((each, index) => {
    const path = join(plane.folder, `values-${index}.json`);
    writeFileSync(path, JSON.stringify(each));
    return ['--values', path];
  });
  const { ok, stderr } = plane.helm(action, RELEASE, CHART, '--namespace', NAMESPACE, ...files.flat(), ...more);
  if (!ok) throw new Error(`helm ${action} failed: ${stderr}`);
}
