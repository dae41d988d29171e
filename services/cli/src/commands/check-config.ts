import {
  ConfigError,
  describeDefaults,
  describeValues,
  parseFlags,
  shownValues,
  splitArguments,
} from '@bbdistill/common';
import { Command } from 'commander';
import { takesSettings } from '../context.js';
import type { CommandContext } from '../context.js';
import { readRunFile } from '../run-file.js';
import { readTopology } from '../topology-file.js';
import { SERVICE_NAMES, serviceProgram } from '../service-programs.js';

export function checkConfigCommand(context: CommandContext): Command {
  return takesSettings(new Command('check-config'))
    .description('check settings and print them with every default filled in; starts nothing')
    .usage('<file> | --service <name> [--key value ...]')
    .argument('[file or settings...]', "YAML file of a run; with --service, that service's --key value")
    .option('--service <name>', `check environment and flags of a service: ${SERVICE_NAMES.join(', ')}`)
    .option('--json', 'print JSON for machines')
    .passThroughOptions()
    .allowUnknownOption()
    .action(async (words: string[], options: { service?: string; json?: boolean }) => {
      const { settings, json, help } = splitArguments(words);
      if (options.service !== undefined) checkService(context, options.service, settings, options.json ?? json, help);
      else await checkRunFile(context, settings);
    });
}

async function checkRunFile({ output, overrides }: CommandContext, words: readonly string[]): Promise<void> {
  const [file, ...others] = words;
  if (file === undefined) throw new ConfigError('nothing to check: name a YAML file, or a service with --service');
  const unknown = words.find((word) => word.startsWith('-')) ?? others[0];
  if (unknown !== undefined) throw new ConfigError(`there is no place for ${unknown}: write check-config <file>`);
  const { run, teachers, baseFolder } = await readRunFile(file, overrides);
  await readTopology(run, baseFolder);
  output.stdout(JSON.stringify({ run, teachers }, undefined, 2));
}

function checkService(
  { output }: CommandContext,
  service: string,
  argv: readonly string[],
  json: boolean,
  help: boolean,
): void {
  const { config, name } = serviceProgram(service);
  if (help) {
    output.stdout(describeDefaults(config.table));
    return;
  }
  const values = config.load({ flags: parseFlags(argv), env: process.env });
  if (json) output.stdout(JSON.stringify({ service: name, settings: shownValues(config.table, values) }));
  else output.stdout(describeValues(config.table, values));
}
