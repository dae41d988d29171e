import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';
import { findToolchain, run, tryRun } from './toolchain.js';

export const CHART = fileURLToPath(new URL('../../helm/bbdistill', import.meta.url));
export const EXAMPLES = fileURLToPath(new URL('../../deploy/examples/helm', import.meta.url));
export const REJECTED = fileURLToPath(new URL('./rejected', import.meta.url));
/** Values that render the notes, which `helm template` leaves out, as the ConfigMap `notes`. */
export const NOTES = fileURLToPath(new URL('./fixtures/notes.yaml', import.meta.url));

/** The fewest values with which the chart installs. */
export const FEWEST = ['auth.allowInsecure=true', 'networkPolicy.apiServer.cidrs={10.0.0.1/32}'];

export interface KubernetesObject {
  apiVersion: string;
  kind: string;
  metadata: { name: string; labels?: Record<string, string>; annotations?: Record<string, string> };
  [field: string]: unknown;
}

export interface RenderOptions {
  values?: readonly string[];
  set?: readonly string[];
}

const argumentsOf = ({ values = [], set = [] }: RenderOptions) => [
  ...values.flatMap((file) => ['--values', file]),
  ...set.flatMap((assignment) => ['--set', assignment]),
];

const rendered = new Map<string, KubernetesObject[]>();

/** What `helm template` makes of the chart, as objects. */
export function render(options: RenderOptions): KubernetesObject[] {
  const key = JSON.stringify(options);
  const known = rendered.get(key) ?? renderAnew(options);
  rendered.set(key, known);
  return structuredClone(known);
}

function renderAnew(options: RenderOptions): KubernetesObject[] {
  const text = run(findToolchain('helm').programs['helm']!, [
    'template',
    'demo',
    CHART,
    '--namespace',
    'distill',
    ...argumentsOf(options),
  ]);
  return parseAllDocuments(text)
    .map((document) => document.toJS() as KubernetesObject | null)
    .filter((object) => object !== null);
}

export function tryRender(options: RenderOptions) {
  return tryRun(findToolchain('helm').programs['helm']!, ['template', 'demo', CHART, ...argumentsOf(options)]);
}

export function lint(options: RenderOptions) {
  return tryRun(findToolchain('helm').programs['helm']!, ['lint', '--strict', CHART, ...argumentsOf(options)]);
}

export interface Container {
  name: string;
  image: string;
  args?: string[];
  env?: { name: string; value?: string; valueFrom?: unknown }[];
  envFrom?: { secretRef: { name: string } }[];
  resources?: { limits?: Record<string, unknown>; requests?: Record<string, unknown> };
  securityContext?: Record<string, unknown>;
  volumeMounts?: { name: string; mountPath: string }[];
}

export interface PodSpec {
  containers: Container[];
  initContainers?: Container[];
  automountServiceAccountToken?: boolean;
  serviceAccountName?: string;
  securityContext?: Record<string, unknown>;
  terminationGracePeriodSeconds?: number;
  tolerations?: { key: string }[];
  volumes?: Record<string, unknown>[];
  hostNetwork?: boolean;
  hostPID?: boolean;
  hostIPC?: boolean;
}

export interface Workload {
  object: KubernetesObject;
  component: string;
  labels: Record<string, string>;
  pod: PodSpec;
  spec: { replicas?: number; strategy?: { type: string; rollingUpdate?: Record<string, unknown> } };
}

/** Everything that becomes a pod. */
export function workloads(objects: readonly KubernetesObject[]): Workload[] {
  return objects.flatMap((object): Workload[] => {
    const spec = object['spec'] as Workload['spec'] & {
      template?: { metadata: { labels: Record<string, string> }; spec: PodSpec };
    };
    const component = object.metadata.labels?.['app.kubernetes.io/component'] ?? '';
    if (object.kind === 'Pod') {
      const labels = object.metadata.labels ?? {};
      return [{ object, component, labels, pod: spec as unknown as PodSpec, spec: {} }];
    }
    if (!spec?.template) return [];
    return [{ object, component, labels: spec.template.metadata.labels, pod: spec.template.spec, spec }];
  });
}
