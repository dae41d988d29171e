import type { RunState } from '@bbdistill/common/gen/bbdistill/v1/RunState.js';
import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { serve } from '../../../../test/helpers/grpc.js';
import { temporaryFolder } from '../../../../test/helpers/temporary-folder.js';
import { cancelCommand } from './cancel.js';

describe('cancel', () => {
  it.each<[string, RunState, RegExp]>([
    ['under way', 'RUN_STATE_RUNNING', /^run abc is told to stop; its end: bbdistill watch abc /],
    ['over', 'RUN_STATE_SUCCEEDED', /^run abc is over: succeeded$/],
    ['over by its budget', 'RUN_STATE_BUDGET_EXHAUSTED', /^run abc is over: budget exhausted$/],
  ])('a run that is %s - says so', async (_what, state, expected) => {
    await using folder = await temporaryFolder();
    await using served = await serve('bbdistill.v1.DistillationService', {
      CancelRun: ({ runId }) => Promise.resolve({ id: runId, state }),
    });
    const told: string[] = [];
    const output = { stdout: (line: string) => void told.push(line), stderr: () => undefined, interactive: false };
    const { signal } = new AbortController();
    const command = cancelCommand({ output, overrides: [], interrupt: signal, setExitCode: () => undefined });
    const flags = ['--orchestrator', served.server.address, '--state', folder.path];
    await new Command().addCommand(command).parseAsync(['cancel', 'abc', ...flags], { from: 'user' });
    expect(told.join('\n')).toMatch(expected);
  });
});
