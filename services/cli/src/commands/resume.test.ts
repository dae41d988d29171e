import { join } from 'node:path';
import type { RunState } from '@bbdistill/common/gen/bbdistill/v1/RunState.js';
import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { serve } from '../../../../test/helpers/grpc.js';
import { temporaryFolder } from '../../../../test/helpers/temporary-folder.js';
import { resumeCommand } from './resume.js';

describe('resume', () => {
  it.each<[string, RunState]>([
    ['asked for', 'RUN_STATE_PENDING'],
    ['read to its last event', 'RUN_STATE_FAILED'],
  ])('Ctrl-C while the run is %s - it is not resumed', async (_when, state) => {
    await using folder = await temporaryFolder();
    const stop = new AbortController();
    let isResumed = false;
    await using served = await serve('bbdistill.v1.DistillationService', {
      GetRun({ runId }) {
        if (state === 'RUN_STATE_PENDING') stop.abort();
        return Promise.resolve({ id: runId, state });
      },
      async *WatchRun() {
        yield await Promise.resolve({ sequence: 1 });
        stop.abort();
      },
      ResumeRun() {
        isResumed = true;
        throw new Error('it was to be left alone');
      },
    });
    const output = { stdout: () => undefined, stderr: () => undefined, interactive: false };
    const command = resumeCommand({ output, overrides: [], interrupt: stop.signal, setExitCode: () => undefined });
    const flags = ['--orchestrator', served.server.address, '--state', folder.path, '--out', join(folder.path, 'out')];
    const ended = new Command().addCommand(command).parseAsync(['resume', 'abc', ...flags], { from: 'user' });
    await expect(ended).rejects.toSatisfy((error: Error & { kind?: string }) =>
      [error.name, error.kind].some((word) => word === 'AbortError' || word === 'cancelled'),
    );
    expect(isResumed).toBe(false);
  });
});
