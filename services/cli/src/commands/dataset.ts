import { describeShape } from '@bbdistill/common';
import { Command, Option } from 'commander';
import type { CommandContext } from '../context.js';
import {
  ALPHA_WISHES,
  IMAGE_CHANNELS,
  IMAGE_FORMATS,
  IMAGE_LAYOUTS,
  describeImages,
  readImages,
} from '../images/index.js';
import type { ImageFormat, ReadImagesOptions } from '../images/index.js';
import { naturalOption, sizeOption } from '../options.js';

interface DescribeOptions extends Pick<ReadImagesOptions, 'limit' | 'resize' | 'alpha' | 'layout' | 'skipBad'> {
  format: ImageFormat;
  labels: string;
  channels?: string;
  json?: boolean;
}

export function datasetCommand(context: CommandContext): Command {
  const describe = new Command('describe')
    .description('read images as a run would, and say what is there: counts, shape, classes, duplicates')
    .argument('<path>', 'file or folder')
    .addOption(new Option('--format <name>', 'how the images are stored').choices(IMAGE_FORMATS).default('auto'))
    .option('--labels <where>', 'auto, none, folder, file, or the path of a label file', 'auto')
    .option('--limit <n>', 'only the first images', naturalOption)
    .option('--resize <HxW>', 'stretch every image to this size, e.g. 64x48', sizeOption)
    .addOption(
      new Option('--channels <n>', '1: all grey, 3: all RGB; default: as they are').choices(IMAGE_CHANNELS.map(String)),
    )
    .addOption(new Option('--alpha <what>', 'what lies behind translucent pixels').choices(ALPHA_WISHES))
    .addOption(
      new Option('--layout <axes>', "axis order of an NPY, where sizes alone don't tell").choices(IMAGE_LAYOUTS),
    )
    .option('--skip-bad', 'go on without files that can not be read, and list them')
    .option('--json', 'print JSON for machines')
    .action(async (path: string, { channels, json, ...options }: DescribeOptions) => {
      const { output, interrupt: signal } = context;
      const read = await readImages({
        path,
        ...options,
        ...(channels !== undefined && { channels: channels === '1' ? 1 : 3 }),
        signal,
      });
      const facts = describeImages(read);
      const { skipped, notes } = read;
      if (json) return output.stdout(JSON.stringify({ ...facts, skipped, notes }));
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
