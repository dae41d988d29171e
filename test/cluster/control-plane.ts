import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { createWriteStream, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  AppsV1Api,
  AutoscalingV2Api,
  CoreV1Api,
  KubeConfig,
  PolicyV1Api,
  RbacAuthorizationV1Api,
} from '@kubernetes/client-node';
import { findToolchain, tryRun } from '../helm/toolchain.js';
import { waitFor } from '../helpers/wait-for.js';

const START_TIMEOUT_MS = 120_000;
const STOP_TIMEOUT_MS = 10_000;

/** A free port of loopback. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** etcd, kube-apiserver, kube-controller-manager and kube-scheduler as processes on loopback; there is no kubelet. */
export class ControlPlane {
  readonly #processes = new Map<string, ChildProcess>();
  #start: Record<string, () => void> = {};

  private constructor(
    readonly folder: string,
    readonly server: string,
    private readonly programs: Record<string, string>,
    private readonly adminToken: string,
  ) {}

  static async start(): Promise<ControlPlane> {
    const { programs } = findToolchain('cluster');
    const folder = await mkdtemp(join(tmpdir(), 'bbdistill-cluster-'));
    const port = await freePort();
    const plane = new ControlPlane(folder, `https://127.0.0.1:${port}`, programs, randomBytes(16).toString('hex'));
    try {
      await plane.#startAll(port);
      return plane;
    } catch (error) {
      await plane[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** A kubeconfig for the holder of a token; the administrator's where there is none. */
  kubeconfig(name = 'admin', token = this.adminToken, namespace = 'default'): string {
    const path = join(this.folder, `${name}.kubeconfig`);
    const config = {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'c', cluster: { server: this.server, 'certificate-authority': this.#certificate } }],
      users: [{ name, user: { token } }],
      contexts: [{ name: 'x', context: { cluster: 'c', user: name, namespace } }],
      'current-context': 'x',
    };
    writeFileSync(path, JSON.stringify(config));
    return path;
  }

  /** The API for whoever a kubeconfig is for. */
  api(kubeconfig = this.kubeconfig()) {
    const config = new KubeConfig();
    config.loadFromFile(kubeconfig);
    return {
      core: config.makeApiClient(CoreV1Api),
      apps: config.makeApiClient(AppsV1Api),
      autoscaling: config.makeApiClient(AutoscalingV2Api),
      policy: config.makeApiClient(PolicyV1Api),
      rbac: config.makeApiClient(RbacAuthorizationV1Api),
    };
  }

  helm(...args: string[]) {
    return tryRun(this.programs['helm']!, [...args, '--kubeconfig', this.kubeconfig()]);
  }

  kubectl(...args: string[]) {
    return tryRun(this.programs['kubectl']!, ['--kubeconfig', this.kubeconfig(), ...args]);
  }

  /** `kubectl diff`: not ok where the cluster isn't as the manifest says. */
  diff(manifest: string, namespace: string) {
    const path = join(this.folder, 'manifest.yaml');
    writeFileSync(path, manifest);
    return this.kubectl('diff', '--namespace', namespace, '--filename', path);
  }

  /** A program for helm's --post-renderer that leaves out what only operators know, which aren't here. */
  withoutOperators(): string {
    const path = join(this.folder, 'without-operators');
    const script = `#!${process.execPath}
const text = require('node:fs').readFileSync(0, 'utf8');
const ours = text.split(/^---$/m).filter((each) => !/^apiVersion: (monitoring\\.coreos\\.com|keda\\.sh)/m.test(each));
process.stdout.write(ours.join('---'));
`;
    writeFileSync(path, script, { mode: 0o755 });
    return path;
  }

  /** Ends the API server without warning. */
  async killApiServer(): Promise<void> {
    await this.#end('kube-apiserver', 'SIGKILL');
  }

  async startApiServer(): Promise<void> {
    this.#start['kube-apiserver']!();
    await this.#ready();
  }

  /** What a process wrote, for a failed test. */
  log(name: string): string {
    return readFileSync(join(this.folder, `${name}.log`), 'utf8');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const name of ['kube-scheduler', 'kube-controller-manager', 'kube-apiserver', 'etcd']) {
      await this.#end(name, 'SIGTERM');
    }
    await rm(this.folder, { recursive: true, force: true });
  }

  get #certificate(): string {
    return join(this.folder, 'certificates/apiserver.crt');
  }

  async #startAll(port: number): Promise<void> {
    const { folder } = this;
    await mkdir(join(folder, 'certificates'));
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const keyFile = join(folder, 'service-accounts.key');
    const publicKeyFile = join(folder, 'service-accounts.pub');
    writeFileSync(keyFile, privateKey.export({ type: 'pkcs1', format: 'pem' }));
    writeFileSync(publicKeyFile, publicKey.export({ type: 'spki', format: 'pem' }));
    const tokens = join(folder, 'tokens.csv');
    writeFileSync(tokens, `${this.adminToken},admin,admin,system:masters\n`);
    const [client, peer] = [await freePort(), await freePort()];

    const define = (name: string, args: readonly string[]) => (this.#start[name] = () => this.#spawn(name, args));
    define('etcd', [
      ...['--data-dir', join(folder, 'etcd'), '--unsafe-no-fsync'],
      ...[
        '--listen-client-urls',
        `http://127.0.0.1:${client}`,
        '--advertise-client-urls',
        `http://127.0.0.1:${client}`,
      ],
      ...[
        '--listen-peer-urls',
        `http://127.0.0.1:${peer}`,
        '--initial-advertise-peer-urls',
        `http://127.0.0.1:${peer}`,
      ],
      ...['--initial-cluster', `default=http://127.0.0.1:${peer}`],
    ]);
    define('kube-apiserver', [
      `--etcd-servers=http://127.0.0.1:${client}`,
      '--bind-address=127.0.0.1',
      `--secure-port=${port}`,
      `--cert-dir=${join(folder, 'certificates')}`,
      '--service-cluster-ip-range=10.0.0.0/24',
      '--endpoint-reconciler-type=none',
      '--authorization-mode=RBAC',
      `--token-auth-file=${tokens}`,
      '--service-account-issuer=https://kubernetes.default.svc',
      `--service-account-key-file=${publicKeyFile}`,
      `--service-account-signing-key-file=${keyFile}`,
    ]);
    this.#start['etcd']!();
    this.#start['kube-apiserver']!();
    await waitFor('the certificate of the API server', () => existsSync(this.#certificate), START_TIMEOUT_MS);
    await this.#ready();

    const kubeconfig = this.kubeconfig();
    define('kube-controller-manager', [
      `--kubeconfig=${kubeconfig}`,
      '--leader-elect=false',
      '--bind-address=127.0.0.1',
      `--secure-port=${await freePort()}`,
      `--cert-dir=${join(folder, 'certificates/controller-manager')}`,
      `--service-account-private-key-file=${keyFile}`,
      `--root-ca-file=${this.#certificate}`,
      // The fake nodes have no kubelet that would send signs of life.
      '--node-monitor-grace-period=24h',
    ]);
    define('kube-scheduler', [
      `--kubeconfig=${kubeconfig}`,
      '--leader-elect=false',
      '--bind-address=127.0.0.1',
      `--secure-port=${await freePort()}`,
      `--cert-dir=${join(folder, 'certificates/scheduler')}`,
    ]);
    this.#start['kube-controller-manager']!();
    this.#start['kube-scheduler']!();
    await waitFor(
      'the default service account, which the controller manager makes',
      () => this.kubectl('get', 'serviceaccount', 'default').ok,
      START_TIMEOUT_MS,
    );
  }

  async #ready(): Promise<void> {
    await waitFor('the API server', () => this.kubectl('get', '--raw', '/readyz').ok, START_TIMEOUT_MS);
  }

  #spawn(name: string, args: readonly string[]): void {
    const log = createWriteStream(join(this.folder, `${name}.log`), { flags: 'a' });
    const child = spawn(this.programs[name]!, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.pipe(log, { end: false });
    child.stderr.pipe(log, { end: false });
    this.#processes.set(name, child);
  }

  async #end(name: string, signal: NodeJS.Signals): Promise<void> {
    const child = this.#processes.get(name);
    this.#processes.delete(name);
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    const late = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
    await ended;
    clearTimeout(late);
  }
}
