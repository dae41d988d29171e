import { Command } from 'commander';
import { addGlobalOptions, takesSettings, withSession } from '../context.js';
import type { CommandContext, GlobalOptions } from '../context.js';
import { EXIT } from '../exit-codes.js';
import { duration, moneyAtMost } from '../figures.js';
import { prepareRun } from '../prepare-run.js';
import { readRunFile } from '../run-file.js';

export function planCommand(context: CommandContext): Command {
  const command = takesSettings(new Command('plan'))
    .description('say what a run would ask and cost at most; spends nothing')
    .argument('[file]', 'YAML file with the settings');
  return addGlobalOptions(command).action(async (file: string | undefined, options: GlobalOptions) => {
    const { output } = context;
    const runFile = await readRunFile(file, context.overrides);
    const { engine, gpu } = runFile.run;
    await withSession(options, { teachers: runFile.teachers, engine, gpu }, async (session) => {
      const spec = await prepareRun(runFile, session.orchestrator, output, context.interrupt);
      const plan = await session.orchestrator.unary('PlanRun', { spec }, { signal: context.interrupt });
      if (!plan.withinBudget) context.setExitCode(EXIT.budgetExhausted);
      if (options.json) return output.stdout(JSON.stringify(plan));
      output.stdout(
        `images to ask, at most   ${plan.images} (${plan.knownCached} of the given ones are answered already)`,
      );
      if (plan.evaluationImages > 0) output.stdout(`for evaluation           ${plan.evaluationImages}`);
      output.stdout(`calls, at most           ${plan.calls}`);
      output.stdout(`cost, at most            ${moneyAtMost(plan.costMicros)} ${plan.currency}`);
      if (plan.labelSeconds > 0) output.stdout(`at the teacher's limits  ${duration(plan.labelSeconds)}`);
      output.stdout(`within the budget        ${plan.withinBudget ? 'yes' : 'no'}`);
      for (const note of plan.notes) output.stdout(`note: ${note}`);
    });
  });
}
