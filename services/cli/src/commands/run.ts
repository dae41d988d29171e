import { createRun } from '@bbdistill/client';
import { Command } from 'commander';
import { announcePlan } from '../announce-plan.js';
import { addGlobalOptions, takesSettings, withSession } from '../context.js';
import type { CommandContext, GlobalOptions } from '../context.js';
import { withOutputFolder } from '../download.js';
import { finishRun, noteInterruptedRuns } from '../finish-run.js';
import { prepareRun } from '../prepare-run.js';
import { pathIn, readRunFile } from '../run-file.js';
import type { Session } from '../session.js';

interface RunOptions extends GlobalOptions {
  out?: string;
}

export function runCommand(context: CommandContext): Command {
  const command = takesSettings(new Command('run'))
    .description('label, synthesise, train, evaluate and export')
    .argument('[file]', 'YAML file with the settings')
    .option('--out <dir>', 'folder of the results, instead of run.out');
  return addGlobalOptions(command).action(async (file: string | undefined, options: RunOptions) => {
    const { output, interrupt } = context;
    const runFile = await readRunFile(file, context.overrides);
    const out = options.out ?? pathIn(runFile.baseFolder, runFile.run.out);
    const { engine, gpu } = runFile.run;
    const work = async (session: Session) => {
      noteInterruptedRuns(session, context, options);
      const spec = await prepareRun(runFile, session.orchestrator, output, interrupt);
      await announcePlan(spec, session.orchestrator, output, interrupt);
      const run = await createRun(session.orchestrator, spec, { signal: interrupt });
      output.stderr(`run ${run.id} (${spec.name}) is on its way`);
      await finishRun({ session, runId: run.id, out, context, options });
    };
    await withOutputFolder(out, () => withSession(options, { teachers: runFile.teachers, engine, gpu }, work));
  });
}
