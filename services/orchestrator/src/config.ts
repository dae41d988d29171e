import { SERVICE_RULES, STORE_RULES, STORE_SETTINGS, defineConfig, parsers, serviceSettings } from '@bbdistill/common';
import type { ConfigValues, Parser } from '@bbdistill/common';
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

/** The settings of the orchestrator. */
export const orchestratorConfig = defineConfig(
  {
    ...serviceSettings({ listen: DEFAULT_LISTEN, state: DEFAULT_STATE_FOLDER }),
    ...STORE_SETTINGS,
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
