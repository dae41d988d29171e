import { existsSync } from 'node:fs';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigError, NotFoundError } from '@bbdistill/common';
import { EmbeddedAnswerCache, exportAnswers, importAnswers } from '@bbdistill/teacher-proxy';
import { Command } from 'commander';
import type { CommandContext } from '../context.js';
import { prepareOutputFile } from '../download.js';
import { DEFAULT_STATE_FOLDER } from '../session.js';

interface CacheOptions {
  state: string;
  json?: boolean;
}

/** `bbdistill cache export|import` */
export function cacheCommand(context: CommandContext): Command {
  return new Command('cache')
    .description('hand on the answers that were paid for')
    .addCommand(exportCommand(context))
    .addCommand(importCommand(context));
}

function exportCommand({ output }: CommandContext): Command {
  return withOptions(new Command('export'))
    .description('write all answers of the state folder into one file')
    .argument('<file>', 'what to write')
    .action(async (file: string, options: CacheOptions) => {
      const { state } = options;
      const nothing = () =>
        new NotFoundError(`there are no answers in the state folder ${state}: name the right one with --state`, {
          code: 'NO_ANSWERS',
        });
      if (!existsSync(answersOf(state))) throw nothing();
      await prepareOutputFile('the file of answers', file);
      const answers = await withCache(options, async (cache) => {
        // What was exported before is worth more than an empty file in its place.
        if (!(await hasAny(cache.entries()))) throw nothing();
        return exportAnswers(cache, file);
      });
      if (options.json) output.stdout(JSON.stringify({ file, answers }));
      else output.stdout(`${answers} answers are in ${file}`);
    });
}

function importCommand({ output }: CommandContext): Command {
  return withOptions(new Command('import'))
    .description("add a colleague's answers; they count for the same images at a teacher of the same cacheIdentity")
    .argument('<file>', 'what bbdistill cache export wrote; verified before anything is taken')
    .action(async (file: string, options: CacheOptions) => {
      await access(file).catch((cause: unknown) => {
        throw new ConfigError(`${file} can't be read: ${(cause as Error).message}`, { cause });
      });
      const { added, known, conflicts } = await withCache(options, (cache) => importAnswers(cache, file));
      if (options.json) output.stdout(JSON.stringify({ file, added, known, conflicts }));
      else output.stdout(`${added} answers are new here, ${known} were known`);
      if (conflicts === 0 || options.json) return;
      output.stderr(
        `${conflicts} of the known ones say something else in ${file}: yours stay. Either the teacher answers by chance, ` +
          'or another model answers there under the same cacheIdentity: then set another one and import anew',
      );
    });
}

function withOptions(command: Command): Command {
  return command
    .option('--state <dir>', 'folder of the embedded services', DEFAULT_STATE_FOLDER)
    .option('--json', 'print JSON for machines');
}

const answersOf = (state: string) => join(state, 'answers');

async function hasAny(entries: AsyncIterable<unknown>): Promise<boolean> {
  for await (const _ of entries) return true;
  return false;
}

async function withCache<T>({ state }: CacheOptions, work: (cache: EmbeddedAnswerCache) => Promise<T>): Promise<T> {
  const cache = new EmbeddedAnswerCache(answersOf(state));
  try {
    return await work(cache);
  } finally {
    await cache.close();
  }
}
