import { BBDISTILL_VERSION, ConfigError, asBbdError, leaveAtOnce } from '@bbdistill/common';
import { Command, CommanderError } from 'commander';
import { cacheCommand } from './commands/cache.js';
import { cancelCommand } from './commands/cancel.js';
import { checkConfigCommand } from './commands/check-config.js';
import { datasetCommand } from './commands/dataset.js';
import { demoCommand } from './commands/demo.js';
import { enginesCommand } from './commands/engines.js';
import { planCommand } from './commands/plan.js';
import { reportCommand } from './commands/report.js';
import { reproduceCommand } from './commands/reproduce.js';
import { resumeCommand } from './commands/resume.js';
import { runCommand } from './commands/run.js';
import { runsCommand } from './commands/runs.js';
import { serveCommand } from './commands/serve.js';
import { usageCommand } from './commands/usage.js';
import { watchCommand } from './commands/watch.js';
import { checkOverrides } from './context.js';
import type { CommandContext } from './context.js';
import { EXIT, exitCodeOfError } from './exit-codes.js';
import { processOutput } from './output.js';
import type { Output } from './output.js';
import type { Override } from './run-file.js';
import { tokenCommand } from './commands/token.js';
import { teacherCommand } from './teacher/commands.js';

const OVERRIDE = /^--((?:run|teachers)\.[^=]+)(?:=(.*))?$/s;

/**
 * The command line.
 * @param argv without node and script
 * @returns the exit code (exit-codes.ts)
 */
export async function main(argv: readonly string[], output: Output = processOutput()): Promise<number> {
  let exitCode: number = EXIT.ok;
  const interrupt = new AbortController();
  const onSignal = () => {
    if (interrupt.signal.aborted) return leaveAtOnce();
    interrupt.abort();
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  try {
    const { overrides, rest } = splitOverrides(argv);
    const context: CommandContext = {
      output,
      overrides,
      interrupt: interrupt.signal,
      setExitCode: (code) => (exitCode = code),
    };
    await buildProgram(context).parseAsync(rest, { from: 'user' });
  } catch (thrown) {
    exitCode = report(thrown, output, argv);
  } finally {
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
  }
  return exitCode;
}

function buildProgram(context: CommandContext): Command {
  const program = new Command('bbdistill')
    .description('From a few unlabelled images and a black-box teacher to a small student of your own.')
    .version(BBDISTILL_VERSION)
    .showSuggestionAfterError()
    .enablePositionalOptions()
    .exitOverride()
    .hook('preAction', (_, command) => checkOverrides(command, context))
    .configureOutput({
      writeOut: (text) => context.output.stdout(text),
      writeErr: (text) => context.output.stderr(text),
    })
    .addHelpText(
      'after',
      '\nExit codes: 0 done, 1 internal error, 2 wrong usage or settings, 3 the run failed, 4 the budget is exhausted,\n' +
        '5 a service or teacher can not be reached or used, 130 interrupted. Every setting of a file is also a flag:\n' +
        '--run.student.network lenet5',
    );
  for (const command of [
    planCommand(context),
    runCommand(context),
    resumeCommand(context),
    cancelCommand(context),
    runsCommand(context),
    watchCommand(context),
    reportCommand(context),
    usageCommand(context),
    reproduceCommand(context),
    teacherCommand(context),
    datasetCommand(context),
    cacheCommand(context),
    tokenCommand(context),
    serveCommand(context),
    checkConfigCommand(context),
    enginesCommand(context),
    demoCommand(context),
  ]) {
    program.addCommand(inheritSettings(command, program));
  }
  return program;
}

/** commander gives exitOverride and output settings only to commands that it makes itself. */
function inheritSettings(command: Command, parent: Command): Command {
  command.copyInheritedSettings(parent);
  for (const child of command.commands) inheritSettings(child, command);
  return command;
}

function splitOverrides(argv: readonly string[]): { overrides: Override[]; rest: string[] } {
  const overrides: Override[] = [];
  const rest: string[] = [];
  for (let i = 0; i < argv.length; i++) {
    const found = OVERRIDE.exec(argv[i]!);
    if (!found) rest.push(argv[i]!);
    else overrides.push([found[1]!, found[2] ?? valueAfter(argv, i++)]);
  }
  return { overrides, rest };
}

/** @throws ConfigError */
function valueAfter(argv: readonly string[], index: number): string {
  const value = argv[index + 1];
  if (value !== undefined && !value.startsWith('--')) return value;
  throw new ConfigError(`${argv[index]} needs a value, e.g. ${argv[index]} true`);
}

function report(thrown: unknown, output: Output, argv: readonly string[]): number {
  if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? EXIT.ok : EXIT.usage;
  const error = asBbdError(thrown);
  if (argv.includes('--json')) output.stdout(JSON.stringify({ error: { code: error.code, message: error.message } }));
  output.stderr(`bbdistill: ${error.message}`);
  // Nobody threw it on purpose: whoever reports it needs to say where it came from.
  if (error.kind === 'internal') output.stderr((error.cause instanceof Error ? error.cause : error).stack ?? '');
  return exitCodeOfError(error);
}
