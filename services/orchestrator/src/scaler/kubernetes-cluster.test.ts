import { createServer } from 'node:http';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { KubernetesCluster } from './kubernetes-cluster.js';

const cleanUps: (() => void)[] = [];
afterEach(() => {
  for (const cleanUp of cleanUps.splice(0)) cleanUp();
});

interface Request {
  method: string;
  path: string;
  query: Record<string, string>;
  body: unknown;
  authorization: string | undefined;
}

/** An API server that answers as told and remembers what it was asked. */
async function apiServer(answer: (request: Request) => { status: number; body: unknown }) {
  const requests: Request[] = [];
  const read = async (message: IncomingMessage) => {
    const chunks: Buffer[] = [];
    for await (const chunk of message) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks).toString();
  };
  const server = createServer((message, response) => {
    void read(message).then((text) => {
      const url = new URL(message.url!, 'http://api');
      const request = {
        method: message.method!,
        path: url.pathname,
        query: Object.fromEntries(url.searchParams),
        body: text === '' ? undefined : (JSON.parse(text) as unknown),
        authorization: message.headers.authorization,
      };
      requests.push(request);
      const { status, body } = answer(request);
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const stop = () => void server.close();
  cleanUps.push(stop);
  const folder = mkdtempSync(join(tmpdir(), 'bbdistill-test-'));
  cleanUps.push(() => rmSync(folder, { recursive: true, force: true }));
  const kubeconfig = join(folder, 'kubeconfig');
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    // The client speaks plain HTTP to nobody who doesn't ask for it.
    clusters: [
      {
        name: 'c',
        cluster: {
          'insecure-skip-tls-verify': true,
          server: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
        },
      },
    ],
    users: [{ name: 'u', user: { token: 'service-account' } }],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u', namespace: 'distill' } }],
    'current-context': 'x',
  };
  writeFileSync(kubeconfig, JSON.stringify(config));
  const cluster = KubernetesCluster.open({
    deployments: { synthesis: 'demo-synthesis', 'student-trainer': 'demo-trainer' },
    kubeconfig,
  });
  return { cluster, requests, stop };
}

const scaleObject = {
  metadata: { name: 'demo-trainer', resourceVersion: '41' },
  spec: { replicas: 2 },
  status: { replicas: 2, selector: 'app=trainer' },
};

describe('the Kubernetes cluster', () => {
  test('scales by compare-and-set and touches nothing but the scale', async () => {
    const { cluster, requests } = await apiServer(() => ({ status: 200, body: scaleObject }));
    const scale = await cluster.scaleOf('student-trainer');
    expect(scale).toEqual({ replicas: 2, revision: '41', selector: 'app=trainer' });
    await cluster.setReplicas('student-trainer', scale, 0);
    const path = '/apis/apps/v1/namespaces/distill/deployments/demo-trainer/scale';
    expect(requests.map(({ method, path: at }) => [method, at])).toEqual([
      ['GET', path],
      ['PUT', path],
    ]);
    expect(requests[1]!.body).toMatchObject({ metadata: { resourceVersion: '41' }, spec: { replicas: 0 } });
    expect(requests[1]!.authorization).toBe('Bearer service-account');
  });

  test('reads a Deployment that nothing ever scaled as what Kubernetes leaves out: none', async () => {
    const { cluster } = await apiServer(() => ({ status: 200, body: { ...scaleObject, spec: {} } }));
    expect(await cluster.scaleOf('synthesis')).toMatchObject({ replicas: 0 });
  });

  test('reads why pods wait, of its own pods only', async () => {
    const items = [
      {
        metadata: { name: 'a', uid: '1', creationTimestamp: '2026-01-01T00:00:00Z' },
        status: {
          phase: 'Pending',
          conditions: [
            { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: '0/2 nodes are available' },
          ],
        },
      },
      {
        metadata: { name: 'b', uid: '2' },
        status: {
          containerStatuses: [{ name: 'x', state: { waiting: { reason: 'ErrImagePull', message: 'not found' } } }],
        },
      },
      { metadata: { name: 'c', uid: '3' }, status: { phase: 'Failed', reason: 'Evicted', message: 'disk' } },
      {
        metadata: { name: 'd', uid: '4', deletionTimestamp: '2026-01-01T00:00:00Z' },
        status: {
          conditions: [
            { type: 'DisruptionTarget', status: 'True', reason: 'PreemptionByScheduler', message: 'by another' },
            { type: 'Ready', status: 'True' },
          ],
        },
      },
    ];
    const { cluster, requests } = await apiServer(() => ({ status: 200, body: { items } }));
    const pods = await cluster.podsOf('synthesis', { replicas: 1, revision: '1', selector: 'app=synthesis' });
    expect(pods).toMatchObject([
      { name: 'a', isReady: false, unschedulable: '0/2 nodes are available', createdAtMs: Date.UTC(2026, 0, 1) },
      { name: 'b', container: { reason: 'ErrImagePull', message: 'not found' } },
      { name: 'c', evicted: 'disk' },
      { name: 'd', isReady: true, isLeaving: true, evicted: 'PreemptionByScheduler: by another' },
    ]);
    expect(requests[0]).toMatchObject({
      path: '/api/v1/namespaces/distill/pods',
      query: { labelSelector: 'app=synthesis' },
    });
  });

  test('asks for no pods where the selector would mean all of them', async () => {
    const { cluster, requests } = await apiServer(() => ({ status: 200, body: { items: [] } }));
    expect(await cluster.podsOf('synthesis', { replicas: 0, revision: '1', selector: '' })).toEqual([]);
    expect(requests).toEqual([]);
  });

  test('reads why no pod can be made, newest last, of its own Deployment only', async () => {
    const event = (name: string, message: string, lastTimestamp: string) => ({
      involvedObject: { kind: 'ReplicaSet', name },
      reason: 'FailedCreate',
      message,
      lastTimestamp,
    });
    const items = [
      event('demo-trainer-7f', 'exceeded quota', '2026-01-02T00:00:00Z'),
      event('other-1', 'not ours', '2026-01-03T00:00:00Z'),
      event('demo-trainer-7f', 'older', '2026-01-01T00:00:00Z'),
    ];
    const { cluster } = await apiServer(() => ({ status: 200, body: { items } }));
    expect(await cluster.warningsOf('student-trainer')).toEqual([
      'no pod can be made: FailedCreate: older',
      'no pod can be made: FailedCreate: exceeded quota',
    ]);
  });

  test.each([
    [409, 'SCALED_MEANWHILE', 'somebody else was faster to scale Deployment distill/demo-trainer'],
    [403, 'CLUSTER_FORBIDS', 'the orchestrator may not scale Deployment distill/demo-trainer'],
    [401, 'CLUSTER_FORBIDS', "give its service account the chart's Role"],
    [404, 'DEPLOYMENT_NOT_FOUND', 'check scalerSynthesis, scalerStudentTrainer and scalerNamespace'],
    [500, 'CLUSTER_FAILS', 'with status 500: it "says" so'],
  ])('status %i is %s', async (status, code, says) => {
    const body = { kind: 'Status', message: 'it "says" so' };
    const { cluster } = await apiServer(() => ({ status, body }));
    const scaled = cluster.setReplicas('student-trainer', { replicas: 1, revision: '1', selector: '' }, 0);
    await expect(scaled).rejects.toMatchObject({ code, message: expect.stringContaining(says) as string });
  });

  test('an API that is not there is an outage', async () => {
    const { cluster, stop } = await apiServer(() => ({ status: 200, body: {} }));
    stop();
    await expect(cluster.scaleOf('synthesis')).rejects.toMatchObject({
      kind: 'unavailable',
      code: 'CLUSTER_UNREACHABLE',
      message: expect.stringContaining('pods are scaled when it answers again') as string,
    });
  });

  test('outside of a pod it says what to set', () => {
    const open = (kubeconfig?: string) => () =>
      KubernetesCluster.open({
        deployments: { synthesis: 'a', 'student-trainer': 'b' },
        ...(kubeconfig !== undefined && { kubeconfig }),
      });
    expect(open()).toThrow('set scalerKubeconfig (BBDISTILL_SCALER_KUBECONFIG)');
    expect(open('/nowhere/kubeconfig')).toThrow('/nowhere/kubeconfig does not say how to reach the Kubernetes API');
  });
});
