import { NotFoundError } from '@bbdistill/common';
import { describe, expect, it } from 'vitest';
import { serve } from '../../../../test/helpers/grpc.js';
import { runCli } from '../../../../test/helpers/run-cli.js';

/** Of an orchestrator where nothing was asked, and that knows one run. */
async function usage(...flags: string[]) {
  await using served = await serve('bbdistill.v1.DistillationService', {
    Usage: () => Promise.resolve({ lines: [] }),
    GetRun({ runId }) {
      if (runId === 'known') return Promise.resolve({ id: runId });
      throw new NotFoundError(`there is no run "${runId}"`, { code: 'RUN_NOT_FOUND' });
    },
  });
  return await runCli('usage', ...flags, '--orchestrator', served.server.address);
}

describe('usage of nothing', () => {
  it.each([[[]], [['--run', 'known']], [['--run', 'teacher-check']]])('%j - is a table without rows', async (flags) => {
    const { exitCode, stdout } = await usage(...flags);
    expect(stdout).toMatch(/^teacher +run +phase .*\n$/);
    expect(exitCode).toBe(0);
  });

  it('a run that nobody knows - is told from one that asked nothing', async () => {
    const { exitCode, stdout, stderr } = await usage('--run', 'unknown');
    expect(stderr).toContain('there is no run "unknown"');
    expect(stdout).toBe('');
    expect(exitCode).toBe(2);
  });
});
