import { join } from 'node:path';
import { BBDISTILL_VERSION, ConfigError, systemClock } from '@bbdistill/common';
import { ENGINE_NAMES } from '@bbdistill/compute';
import type { EngineName } from '@bbdistill/compute';
import { Argument, Command, InvalidArgumentError, Option } from 'commander';
import type { CommandContext } from '../context.js';
import { fashionMnist } from '../images/index.js';
import { naturalOption, positiveOption } from '../options.js';
import { checkCommand } from './check-command.js';
import { DEFAULT_HOST } from './open-inference-server.js';
import { serveTeacher } from './serve-teacher.js';
import { DEFAULT_TEACHER_EPOCHS, TEACHER_FILE, trainTeacher, writeTeacher } from './train-teacher.js';
import { trainingProgressView } from './training-progress.js';

const CLASSES = 10;
const DEFAULT_OUT = './teacher';
const DEFAULT_PORT = 8700;

/** `bbdistill teacher train|serve|check` */
export function teacherCommand(context: CommandContext): Command {
  return new Command('teacher')
    .description('make, serve and try out teachers')
    .addCommand(trainCommand(context))
    .addCommand(serveCommand(context))
    .addCommand(checkCommand(context));
}

interface TrainOptions {
  data?: string;
  out: string;
  seed: number;
  epochs: number;
  network: string;
  engine: EngineName;
  json?: boolean;
}

function trainCommand({ output, interrupt }: CommandContext): Command {
  return new Command('train')
    .description('train a teacher of your own on true labels, where you have none to ask')
    .addArgument(new Argument('<set>', 'which data set').choices(['fashion-mnist']))
    .option('--data <dir>', "folder of the four IDX files; default: where Debian's dataset-fashion-mnist puts them")
    .option('--out <dir>', 'folder for teacher.onnx and teacher.json', DEFAULT_OUT)
    .option('--seed <n>', 'seed of everything random', naturalOption, 1)
    .option('--epochs <n>', 'times over the images', positiveOption, DEFAULT_TEACHER_EPOCHS)
    .option('--network <name>', 'lenet5 or lenet5-half', 'lenet5')
    .addOption(new Option('--engine <name>', 'what trains').choices(ENGINE_NAMES).default('auto'))
    .option('--json', 'print JSON for machines')
    .action(async (set: string, options: TrainOptions) => {
      const { train, test } = await fashionMnist(options.data === undefined ? {} : { dataDir: options.data });
      const view = options.json ? undefined : trainingProgressView(output, systemClock);
      const teacher = await trainTeacher({
        images: train.images,
        labels: train.labels!,
        testImages: test.images,
        testLabels: test.labels!,
        classes: CLASSES,
        network: options.network,
        // Clothes stay what they are in a mirror.
        flip: true,
        epochs: options.epochs,
        seed: options.seed,
        engine: options.engine,
        signal: interrupt,
        ...(view && { onProgress: (progress) => view.update(progress) }),
      }).finally(() => view?.end());
      const about = { dataset: set, classNames: train.classNames ?? [], version: BBDISTILL_VERSION };
      const facts = await writeTeacher(options.out, teacher, about);
      if (options.json) {
        output.stdout(JSON.stringify(facts));
        return;
      }
      const file = join(options.out, TEACHER_FILE);
      output.stdout(
        `${file}: ${(facts.testAccuracy * 100).toFixed(2)} % of ${facts.testImages} test images right, ` +
          `trained in ${Math.round(facts.seconds)} s (${facts.engine})\nnext: bbdistill teacher serve ${file}`,
      );
    });
}

interface ServeOptions {
  host: string;
  port: number;
  grpcPort?: number;
  model?: string;
  output?: string;
  tokenEnv?: string;
  imagesPerSecond?: number;
  json?: boolean;
}

function serveCommand({ output, interrupt }: CommandContext): Command {
  return new Command('serve')
    .description('serve an .onnx classifier as a black box over the Open Inference Protocol v2')
    .argument('<file>', 'one image input, one output of a row per image')
    .option('--host <address>', 'where to listen; beyond loopback only with a token', DEFAULT_HOST)
    .option('--port <n>', 'HTTP port; 0 takes any free one', naturalOption, DEFAULT_PORT)
    .option('--grpc-port <n>', 'also serve gRPC on this port; 0 takes any free one', naturalOption)
    .option('--model <name>', "name to ask for; default: the file's")
    .option('--output <name>', 'which output, where the model has several')
    .option('--token-env <name>', 'environment variable with the bearer token that callers must send')
    .option('--images-per-second <n>', 'answer 429 beyond this rate', rateOption)
    .option('--json', 'print JSON for machines')
    .action(async (file: string, options: ServeOptions) => {
      const { tokenEnv, ...settings } = options;
      const token = tokenEnv === undefined ? undefined : process.env[tokenEnv];
      if (tokenEnv !== undefined && !token) {
        throw new ConfigError(`the environment variable ${tokenEnv}, which should hold the token, is not set`, {
          code: 'SECRET_MISSING',
        });
      }
      const served = await serveTeacher({ file, ...settings, ...(token && { token }) });
      try {
        const { name } = served.model.classifier;
        const { url, grpcAddress } = served;
        if (options.json) output.stdout(JSON.stringify({ url, grpcAddress, model: name }));
        else {
          output.stdout(`serving ${url}/v2/models/${name}`);
          if (grpcAddress !== undefined) output.stdout(`serving grpc://${grpcAddress}/${name}`);
          output.stderr('Ctrl-C stops');
        }
        await aborted(interrupt);
      } finally {
        await served.stop();
      }
      const { inferenceCount, executionCount, failureCount } = served.stats;
      if (options.json) output.stdout(JSON.stringify({ inferenceCount, executionCount, failureCount }));
      else output.stdout(`answered ${inferenceCount} images in ${executionCount} requests, refused ${failureCount}`);
    });
}

function rateOption(text: string): number {
  const value = Number(text);
  if (value > 0 && Number.isFinite(value)) return value;
  throw new InvalidArgumentError('it must be a number above 0');
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
