import { STORE_RULES, STORE_SETTINGS, defineConfig, listensSafely, parsers, serviceSettings } from '@bbdistill/common';
import type { Parser } from '@bbdistill/common';

export const DEFAULT_LISTEN = '127.0.0.1:7700';
export const DEFAULT_STATE_FOLDER = './.bbdistill/orchestrator';
export const DEFAULT_TEACHER_PROXY_ADDRESS = '127.0.0.1:7701';

const addressToCall: Parser<string> = (raw) => {
  const address = parsers.address(raw);
  if (/:0+$/.test(address)) throw new Error(`must name a port above 0 to call, not "${address}"`);
  return address;
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
      meaning: 'host:port of the teacher-proxy',
    },
    teacherProxyToken: {
      env: 'BBDISTILL_TEACHER_PROXY_TOKEN',
      parse: parsers.optional(parsers.text),
      default: undefined,
      secret: true,
      meaning: 'bearer token sent to the teacher-proxy; by variable or _FILE only',
    },
  },
  [
    listensSafely,
    ...STORE_RULES,
    {
      name: 'teacher-proxy-is-elsewhere',
      check: ({ listen, teacherProxyAddress }) =>
        listen === teacherProxyAddress
          ? `listen and teacherProxyAddress are both ${listen}, but two services can't share a port: change one`
          : undefined,
    },
  ],
);
