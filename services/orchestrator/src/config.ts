import { SERVICE_RULES, STORE_RULES, STORE_SETTINGS, defineConfig, parsers, serviceSettings } from '@bbdistill/common';
import type { ConfigRule, ConfigValues, Parser } from '@bbdistill/common';
import { DEFAULT_GARBAGE_AGE_MS, DEFAULT_GARBAGE_INTERVAL_MS, DEFAULT_RUN_RETENTION_MS } from './garbage.js';
import { DEFAULT_IDLE_MS, DEFAULT_INTERVAL_MS, DEFAULT_MAX_REPLICAS } from './scaler/index.js';
import type { OrchestratorOptions } from './server.js';

export const DEFAULT_LISTEN = '127.0.0.1:7700';
export const DEFAULT_STATE_FOLDER = './.bbdistill/orchestrator';
export const DEFAULT_TEACHER_PROXY_ADDRESS = '127.0.0.1:7701';

const DNS_SCHEME = 'dns:///';

const addressToCall: Parser<string> = (raw) => {
  const scheme = typeof raw === 'string' && raw.startsWith(DNS_SCHEME) ? DNS_SCHEME : '';
  const address = parsers.address(typeof raw === 'string' ? raw.slice(scheme.length) : raw);
  if (/:0+$/.test(address)) throw new Error(`must name a port above 0 to call, not "${address}"`);
  return scheme + address;
};

const MAX_IDLE_MS = 24 * 60 * 60 * 1000;
const MAX_INTERVAL_MS = 60_000;
const MAX_REPLICAS = 64;

const objectName: Parser<string> = (raw) => {
  const name = parsers.text(raw);
  if (!/^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/.test(name)) {
    throw new Error(`must be the name of a Kubernetes object, not "${name}"`);
  }
  return name;
};

const named = (env: string, meaning: string) => ({
  env,
  parse: parsers.optional(objectName),
  default: undefined,
  meaning,
});

/** How workers get pods in a cluster. */
const SCALER_SETTINGS = {
  scalerSynthesis: named(
    'BBDISTILL_SCALER_SYNTHESIS',
    'Deployment of synthesis, which is given pods while jobs wait or run; absent: it is always there',
  ),
  scalerStudentTrainer: named('BBDISTILL_SCALER_STUDENT_TRAINER', 'Deployment of the student-trainer, likewise'),
  scalerNamespace: named('BBDISTILL_SCALER_NAMESPACE', 'namespace of both; absent: that of the credentials'),
  scalerKubeconfig: {
    env: 'BBDISTILL_SCALER_KUBECONFIG',
    parse: parsers.optional(parsers.text),
    default: undefined,
    meaning: "file that says how to reach the Kubernetes API; absent: this pod's service account",
  },
  scalerIdleMs: {
    env: 'BBDISTILL_SCALER_IDLE_MS',
    parse: parsers.integer({ min: 0, max: MAX_IDLE_MS }),
    default: DEFAULT_IDLE_MS,
    unit: 'ms',
    meaning: 'how long no job may run or wait before the pods go',
  },
  scalerIntervalMs: {
    env: 'BBDISTILL_SCALER_INTERVAL_MS',
    parse: parsers.integer({ min: 100, max: MAX_INTERVAL_MS }),
    default: DEFAULT_INTERVAL_MS,
    unit: 'ms',
    meaning: 'how often jobs and pods are looked at',
  },
  scalerMaxReplicas: {
    env: 'BBDISTILL_SCALER_MAX_REPLICAS',
    parse: parsers.integer({ min: 1, max: MAX_REPLICAS }),
    default: DEFAULT_MAX_REPLICAS,
    unit: 'pods',
    meaning: 'pods of each worker at most',
  },
} as const;

const NEEDS_DEPLOYMENTS = ['scalerNamespace', 'scalerKubeconfig'] as const;

const scalerRules: readonly ConfigRule<typeof SCALER_SETTINGS>[] = [
  {
    name: 'both-workers-are-scaled',
    check: ({ scalerSynthesis, scalerStudentTrainer }) =>
      (scalerSynthesis === undefined) === (scalerStudentTrainer === undefined)
        ? undefined
        : 'scalerSynthesis and scalerStudentTrainer belong together: set both, or neither',
  },
  {
    name: 'scaler-needs-deployments',
    check: (values) => {
      const idle = NEEDS_DEPLOYMENTS.filter((key) => values[key] !== undefined);
      return values.scalerSynthesis !== undefined || idle.length === 0
        ? undefined
        : `${idle.join(' and ')} say where to scale, but scalerSynthesis and scalerStudentTrainer are not set: set them`;
    },
  },
];

/** Also of everything that runs an orchestrator inside itself. */
export const GARBAGE_SETTINGS = {
  garbageIntervalMs: {
    env: 'BBDISTILL_GARBAGE_INTERVAL_MS',
    parse: parsers.integer({ min: 1_000 }),
    default: DEFAULT_GARBAGE_INTERVAL_MS,
    unit: 'ms',
    meaning: 'time between two looks for what no run uses any more',
  },
  garbageAgeMs: {
    env: 'BBDISTILL_GARBAGE_AGE_MS',
    parse: parsers.integer({ min: 3_600_000 }),
    default: DEFAULT_GARBAGE_AGE_MS,
    unit: 'ms',
    meaning: 'what is younger is never deleted as garbage; longer than any job takes',
  },
  runRetentionMs: {
    env: 'BBDISTILL_RUN_RETENTION_MS',
    parse: parsers.integer({ min: 0 }),
    default: DEFAULT_RUN_RETENTION_MS,
    unit: 'ms',
    meaning: 'after which a run that is over is deleted with all that only it used; 0: never. Answers stay cached',
  },
} as const;

/** The settings of the orchestrator. */
export const orchestratorConfig = defineConfig(
  {
    ...serviceSettings({ listen: DEFAULT_LISTEN, state: DEFAULT_STATE_FOLDER }),
    ...STORE_SETTINGS,
    ...SCALER_SETTINGS,
    ...GARBAGE_SETTINGS,
    teacherProxyAddress: {
      env: 'BBDISTILL_TEACHER_PROXY_ADDRESS',
      parse: addressToCall,
      default: DEFAULT_TEACHER_PROXY_ADDRESS,
      meaning:
        'host:port or dns:///host:port of the teacher-proxy; calls are spread over every address of the name, as a ' +
        'headless service has one for each replica',
    },
    teacherProxyToken: {
      env: 'BBDISTILL_TEACHER_PROXY_TOKEN',
      parse: parsers.optional(parsers.text),
      default: undefined,
      secret: true,
      meaning: 'bearer token sent to the teacher-proxy; by variable or _FILE only',
    },
    teacherProxyCaFile: {
      env: 'BBDISTILL_TEACHER_PROXY_CA_FILE',
      parse: parsers.optional(parsers.text),
      default: undefined,
      meaning:
        'PEM file with the authority that signed the certificate of the teacher-proxy; makes TLS required on the way ' +
        'there, with tlsCertFile shown where it is set; read anew when it changes',
    },
    teacherProxyServerName: {
      env: 'BBDISTILL_TEACHER_PROXY_SERVER_NAME',
      parse: parsers.optional(parsers.text),
      default: undefined,
      meaning: "name in the teacher-proxy's certificate, where it is not the host of teacherProxyAddress",
    },
  },
  [
    ...SERVICE_RULES,
    ...STORE_RULES,
    ...scalerRules,
    {
      name: 'server-name-needs-tls',
      check: ({ teacherProxyServerName, teacherProxyCaFile }) =>
        teacherProxyServerName === undefined || teacherProxyCaFile !== undefined
          ? undefined
          : 'teacherProxyServerName is looked for in a certificate, but teacherProxyCaFile is not set: set both, or neither',
    },
    {
      name: 'teacher-proxy-is-elsewhere',
      check: ({ listen, teacherProxyAddress }) =>
        listen === teacherProxyAddress
          ? `listen and teacherProxyAddress are both ${listen}, but two services can't share a port: change one`
          : undefined,
    },
  ],
);

/** How the teacher-proxy is reached with these settings. */
export function teacherProxyConnection(
  values: ConfigValues<typeof orchestratorConfig.table>,
): Pick<OrchestratorOptions, 'teacherProxyAddress' | 'teacherProxyToken' | 'teacherProxyTls'> {
  const { teacherProxyAddress, teacherProxyToken, teacherProxyCaFile, teacherProxyServerName } = values;
  const { tlsCertFile, tlsKeyFile } = values;
  return {
    teacherProxyAddress,
    ...(teacherProxyToken !== undefined && { teacherProxyToken }),
    ...(teacherProxyCaFile !== undefined && {
      teacherProxyTls: {
        caFile: teacherProxyCaFile,
        ...(tlsCertFile !== undefined && tlsKeyFile !== undefined && { certFile: tlsCertFile, keyFile: tlsKeyFile }),
        ...(teacherProxyServerName !== undefined && { serverName: teacherProxyServerName }),
      },
    }),
  };
}

/**
 * Who gives workers pods with these settings.
 * @throws ConfigError where nothing says how to reach the Kubernetes API
 */
export async function scalerOptions(
  values: ConfigValues<typeof orchestratorConfig.table>,
): Promise<Pick<OrchestratorOptions, 'scaler'>> {
  const { scalerSynthesis, scalerStudentTrainer, scalerNamespace, scalerKubeconfig } = values;
  if (scalerSynthesis === undefined || scalerStudentTrainer === undefined) return {};
  // The client is large, and most orchestrators run outside of a cluster.
  const { KubernetesCluster } = await import('./scaler/kubernetes-cluster.js');
  const cluster = KubernetesCluster.open({
    deployments: { synthesis: scalerSynthesis, 'student-trainer': scalerStudentTrainer },
    ...(scalerNamespace !== undefined && { namespace: scalerNamespace }),
    ...(scalerKubeconfig !== undefined && { kubeconfig: scalerKubeconfig }),
  });
  const { scalerIdleMs, scalerIntervalMs, scalerMaxReplicas } = values;
  return {
    scaler: { cluster, idleMs: scalerIdleMs, intervalMs: scalerIntervalMs, maxReplicas: scalerMaxReplicas },
  };
}
