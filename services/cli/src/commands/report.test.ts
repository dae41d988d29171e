import { join } from 'node:path';
import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { serve } from '../../../../test/helpers/grpc.js';
import { temporaryFolder } from '../../../../test/helpers/temporary-folder.js';
import { reportCommand } from './report.js';

const REPORT = {
  teacherAccuracy: null,
  accuracy: 0.9,
  macroF1: 0.9,
  agreementWithTeacher: null,
  baselines: {},
  queries: { asked: 10, billed: 10 },
  cost: { amount: 0, currency: '' },
};

describe('report', () => {
  it.each([
    ['with --out - says where it wrote', true, []],
    ['with --out and --json - stays JSON alone', true, ['--json']],
    ['without - names no files', false, []],
  ])('%s', async (_what, isWritten, flags) => {
    await using folder = await temporaryFolder();
    await using served = await serve('bbdistill.v1.DistillationService', {
      GetRun: ({ runId }) => Promise.resolve({ id: runId, reportJson: JSON.stringify(REPORT) }),
    });
    const told: string[] = [];
    const output = { stdout: (line: string) => void told.push(line), stderr: () => undefined, interactive: false };
    const { signal } = new AbortController();
    const command = reportCommand({ output, overrides: [], interrupt: signal, setExitCode: () => undefined });
    const out = join(folder.path, 'out');
    const to = ['--orchestrator', served.server.address, '--state', folder.path, ...(isWritten ? ['--out', out] : [])];
    await new Command().addCommand(command).parseAsync(['report', 'abc', ...to, ...flags], { from: 'user' });
    const [first, ...rest] = told;
    if (flags.length > 0) expect(JSON.parse(first!)).toEqual(REPORT);
    const names = [`report: ${join(out, 'report.html')}`, `student: ${join(out, 'student')}`];
    expect(rest).toEqual(isWritten && flags.length === 0 ? names : []);
  });
});
