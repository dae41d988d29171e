import { listenOptions, startOnStores } from '@bbdistill/common';
import type { ServiceProgram } from '@bbdistill/common';
import { teacherProxyConfig } from './config.js';
import { startTeacherProxy } from './server.js';

/** The teacher-proxy as a process of its own. */
export const teacherProxyProgram: ServiceProgram<typeof teacherProxyConfig.table> = {
  name: 'teacher-proxy',
  config: teacherProxyConfig,
  start(values, logger) {
    const { state, callConcurrency, jobConcurrency, cacheMaxBytes, teachers } = values;
    return startOnStores(values, logger, (stores) =>
      startTeacherProxy({
        ...listenOptions(values),
        stores,
        logger,
        stateFolder: state,
        teachers: teachers?.teachers ?? [],
        jobConcurrency,
        cacheMaxBytes,
        ...(callConcurrency !== undefined && { callConcurrency }),
      }),
    );
  },
};
