import { writeFile } from 'node:fs/promises';
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

  it.each([
    ['not taken', [], /run\.budget\.images, 900, is not taken: the run keeps 600; .*: --budget-images 900/],
    ['left alone where a flag says it', ['--budget-images', '800'], /^$/],
  ])("a budget in the file that is not the run's is %s", async (_what, flags, expected) => {
    await using folder = await temporaryFolder();
    const file = join(folder.path, 'run.yaml');
    await writeFile(file, 'run: { teacher: mine, classes: 2, images: { path: x }, budget: { images: 900 } }');
    const stop = new AbortController();
    await using served = await serve('bbdistill.v1.DistillationService', {
      GetRun: ({ runId }) =>
        Promise.resolve({ id: runId, state: 'RUN_STATE_PENDING' as const, spec: { budget: { images: 600 } } }),
      ResumeRun: () => Promise.reject(new Error('as far as it has to go')),
    });
    const told: string[] = [];
    const output = { stdout: () => undefined, stderr: (line: string) => void told.push(line), interactive: false };
    const command = resumeCommand({ output, overrides: [], interrupt: stop.signal, setExitCode: () => undefined });
    const to = ['--orchestrator', served.server.address, '--state', folder.path, '--out', join(folder.path, 'out')];
    const ended = new Command()
      .addCommand(command)
      .parseAsync(['resume', 'abc', file, ...to, ...flags], { from: 'user' });
    await expect(ended).rejects.toThrow();
    expect(told.join('\n')).toMatch(expected);
  });
});
