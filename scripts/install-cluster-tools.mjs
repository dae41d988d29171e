// Gets what the chart's tests run: `npm run setup:helm` gets helm, `npm run setup:cluster` helm and a Kubernetes control
// plane (kube-apiserver, kube-controller-manager, kube-scheduler, etcd, kubectl). Prints where they are as JSON;
// with --find it only looks. Built once from the Go modules that test/cluster/toolchain pins, outside the repository: a first
// build takes 10 to 30 minutes on two cores. Containers, kind and root rights are not needed.
import { execFileSync, spawnSync } from 'node:child_process';
import { accessSync, constants, copyFileSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const module = fileURLToPath(new URL('../test/cluster/toolchain', import.meta.url));
const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'bbdistill-tools');
const pinned = readFileSync(join(module, 'go.mod'), 'utf8');
const version = (path) => {
  const found = new RegExp(`^\\s*${path} v(\\S+)$`, 'm').exec(pinned)?.[1];
  if (!found) throw new Error(`test/cluster/toolchain/go.mod names no version of ${path}`);
  return found;
};

const kubernetes = version('k8s.io/kubernetes');
const [major, minor] = kubernetes.split('.');
const helm = version('helm.sh/helm/v3');
// What the projects' own releases are linked with: without it the API server calls itself v0.0.0, and helm refuses it.
const kubernetesFlags = ['gitMajor=' + major, 'gitMinor=' + minor, 'gitVersion=v' + kubernetes].flatMap((value) =>
  ['k8s.io/component-base/version', 'k8s.io/client-go/pkg/version'].map((path) => `-X ${path}.${value}`),
);
const helmFlags = [
  `-X helm.sh/helm/v3/internal/version.version=v${helm}`,
  ...['helm.sh/helm/v3/pkg/lint/rules', 'helm.sh/helm/v3/pkg/chartutil'].flatMap((path) => [
    `-X ${path}.k8sVersionMajor=${major}`,
    `-X ${path}.k8sVersionMinor=${minor}`,
  ]),
];

const helmFolder = join(cache, `helm-${helm}`);
const kubernetesFolder = join(cache, `kubernetes-${kubernetes}`);
const programs = {
  helm: { folder: helmFolder, name: 'helm', source: 'helm.sh/helm/v3/cmd/helm', flags: helmFlags },
};
if (process.argv.includes('cluster')) {
  for (const name of ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kubectl']) {
    const source = `k8s.io/kubernetes/cmd/${name}`;
    programs[name] = { folder: kubernetesFolder, name, source, flags: kubernetesFlags };
  }
  programs.etcd = { folder: kubernetesFolder, name: 'etcd', source: 'go.etcd.io/etcd/server/v3', flags: [] };
}

function isThere(path) {
  try {
    accessSync(path, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}

function build({ folder, name, source, flags }) {
  mkdirSync(folder, { recursive: true });
  // Built beside its place and renamed, so that a build that was stopped leaves no half of a program.
  const unfinished = join(folder, `.${name}-${process.pid}`);
  const options = ['-mod=readonly', '-trimpath', '-buildvcs=false', '-ldflags', ['-s -w', ...flags].join(' ')];
  execFileSync('go', ['build', ...options, '-o', unfinished, source], {
    cwd: module,
    stdio: ['ignore', 2, 2],
    env: { ...process.env, CGO_ENABLED: '0' },
  });
  renameSync(unfinished, join(folder, name));
}

// The API's own description of every object, by which test:helm checks what the chart renders: of the oldest Kubernetes
// that the chart promises to run on and of the one that the tests run.
const OLDEST_KUBERNETES = '1.29.6';
const openApis = [OLDEST_KUBERNETES, kubernetes].map((release) => ({
  release,
  path: join(cache, `kubernetes-${release}`, 'swagger.json'),
}));

function fetchOpenApi({ release, path }) {
  const download = execFileSync('go', ['mod', 'download', '-json', `k8s.io/kubernetes@v${release}`], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 2],
    cwd: cache,
    env: { ...process.env, GOFLAGS: '-mod=mod' },
  });
  mkdirSync(dirname(path), { recursive: true });
  copyFileSync(join(JSON.parse(download).Dir, 'api/openapi-spec/swagger.json'), path + '.part');
  renameSync(path + '.part', path);
}

const missing = () => Object.values(programs).filter(({ folder, name }) => !isThere(join(folder, name)));
const withoutOpenApi = () => openApis.filter(({ path }) => !isThere(path));
if (!process.argv.includes('--find') && missing().length + withoutOpenApi().length > 0) {
  if (spawnSync('go', ['version'], { stdio: 'ignore' }).status !== 0) {
    console.error('Go is missing (1.26 or newer): install it and run this again');
    process.exit(1);
  }
  mkdirSync(cache, { recursive: true });
  for (const each of withoutOpenApi()) fetchOpenApi(each);
  for (const program of missing()) {
    console.error(`building ${program.name}`);
    build(program);
  }
}
const absent = [
  ...missing().map(({ name }) => name),
  ...withoutOpenApi().map(({ release }) => `OpenAPI of ${release}`),
];
if (absent.length > 0) {
  console.error(`missing: ${absent.join(', ')}`);
  process.exit(1);
}
const folders = Object.fromEntries(Object.entries(programs).map(([name, { folder }]) => [name, join(folder, name)]));
console.log(JSON.stringify({ programs: folders, openApis }));
