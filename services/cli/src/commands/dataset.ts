import { describeShape } from '@bbdistill/common';
import { Command, Option } from 'commander';
import type { CommandContext } from '../context.js';
import { IMAGE_FORMATS, describeImages, readImages } from '../images/index.js';
import type { ImageFormat } from '../images/index.js';
import { naturalOption } from '../options.js';

interface DescribeOptions {
  format: ImageFormat;
  labels: string;
  limit?: number;
  skipBad?: boolean;
  json?: boolean;
}

export function datasetCommand(context: CommandContext): Command {
  const describe = new Command('describe')
    .description('read images as a run would, and say what is there: counts, shape, classes, duplicates')
    .argument('<path>', 'file or folder')
    .addOption(new Option('--format <name>', 'how the images are stored').choices(IMAGE_FORMATS).default('auto'))
    .option('--labels <where>', 'auto, none, folder, file, or the path of a label file', 'auto')
    .option('--limit <n>', 'only the first images', naturalOption)
    .option('--skip-bad', 'go on without files that can not be read, and list them')
    .option('--json', 'print JSON for machines')
    .action(async (path: string, options: DescribeOptions) => {
      const { output } = context;
      const { format, labels, limit, skipBad = false } = options;
      const read = await readImages({ path, format, labels, skipBad, ...(limit !== undefined && { limit }) });
      const facts = describeImages(read);
      const { skipped, notes } = read;
      if (options.json) return output.stdout(JSON.stringify({ ...facts, skipped, notes }));
      output.stdout(`images       ${facts.images} of ${describeShape(facts.shape)}`);
      output.stdout(`values       ${facts.min} to ${facts.max}, mean ${facts.mean.toFixed(1)}`);
      output.stdout(`duplicates   ${facts.duplicates} (asked once)`);
      output.stdout(`blank        ${facts.blank}`);
      for (const { name, images } of facts.classes ?? []) output.stdout(`class        ${name}: ${images}`);
      if (facts.unlabelled) output.stdout(`unlabelled   ${facts.unlabelled}`);
      for (const { file, reason } of skipped) output.stdout(`skipped      ${file}: ${reason}`);
      for (const note of notes) output.stdout(`note         ${note}`);
    });
  return new Command('dataset').description('look at images before paying for answers').addCommand(describe);
}
