import { QUERY_COUNTS } from '@bbdistill/common';
import { Command } from 'commander';
import { addGlobalOptions, withSession } from '../context.js';
import type { CommandContext, GlobalOptions } from '../context.js';
import { CHECK_RUN } from '../teacher/check-teacher.js';

interface UsageOptions extends GlobalOptions {
  teacher?: string;
  run?: string;
}

export function usageCommand(context: CommandContext): Command {
  const command = new Command('usage')
    .description('what was asked and paid, by teacher, run and phase')
    .option('--teacher <name>', 'only this teacher')
    .option('--run <id>', 'only this run');
  return addGlobalOptions(command).action(async (options: UsageOptions) => {
    await withSession(options, {}, async ({ orchestrator }) => {
      const request = { teacher: options.teacher ?? '', runId: options.run ?? '' };
      const { lines } = await orchestrator.unary('Usage', request, { signal: context.interrupt });
      // What has asked nothing yet has no lines either, so that only the runs tell a wrong id.
      if (lines.length === 0 && options.run !== undefined && options.run !== CHECK_RUN) {
        await orchestrator.unary('GetRun', { runId: options.run }, { signal: context.interrupt });
      }
      if (options.json) return context.output.stdout(JSON.stringify(lines));
      const rows = lines.map((line) => [
        line.teacher,
        line.runId,
        line.phase.replace('PHASE_', '').toLowerCase(),
        ...QUERY_COUNTS.map((column) => String(line.counts?.[column] ?? 0)),
        `${(line.costMicros / 1e6).toFixed(4)} ${line.currency}`,
      ]);
      const table = [['teacher', 'run', 'phase', ...QUERY_COUNTS, 'cost'], ...rows];
      const widths = table[0]!.map((_, column) => Math.max(...table.map((row) => row[column]!.length)));
      for (const row of table) {
        context.output.stdout(
          row
            .map((cell, column) => cell.padEnd(widths[column]!))
            .join('  ')
            .trimEnd(),
        );
      }
    });
  });
}
