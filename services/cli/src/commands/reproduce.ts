import { join } from 'node:path';
import { ConfigError } from '@bbdistill/common';
import type { ImageBatch } from '@bbdistill/common';
import { ENGINE_NAMES } from '@bbdistill/compute';
import type { EngineName } from '@bbdistill/compute';
import type { Report } from '@bbdistill/orchestrator';
import { RECIPE_NAMES } from '@bbdistill/student-trainer';
import { parseTeacherConfig } from '@bbdistill/teacher-proxy';
import type { TeacherConfig } from '@bbdistill/teacher-proxy';
import { Argument, Command, Option } from 'commander';
import { addGlobalOptions } from '../context.js';
import type { CommandContext, GlobalOptions } from '../context.js';
import { runDirectly } from '../direct-run.js';
import { balancedDraw, fashionMnist, selectImages } from '../images/index.js';
import type { ReadImagesResult } from '../images/index.js';
import { naturalOption, seedsOption } from '../options.js';
import { settingsFrom } from '../run-file.js';
import type { Output } from '../output.js';

const TEACHER_NAME = 'reproduced';
const CLASSES = 10;
/** `resume` would go on with one seed alone and compare nothing with the paper. */
const GO_ON = 'the same bbdistill reproduce again; what was answered costs nothing';
/** The paper's numbers for Fashion-MNIST (METHOD: table of results). */
const PAPER = { images: 2_000, synthetic: 48_000, cvaeEpochs: 200 };
const PAPER_ACCURACY: Record<string, number> = { 'lenet5-half': 0.8473, lenet5: 0.8653 };

interface ReproduceOptions extends GlobalOptions {
  teacher: string;
  network: string;
  recipe: (typeof RECIPE_NAMES)[number];
  seed: number;
  seeds?: number[];
  images: number;
  synthetic: number;
  data?: string;
  engine: EngineName;
  threads?: number;
  out: string;
}

export function reproduceCommand(context: CommandContext): Command {
  const command = new Command('reproduce')
    .description("repeat the paper's experiment, its class-balanced draw of the real images by true label included")
    .addArgument(new Argument('<set>', 'which experiment').choices(['fashion-mnist']))
    .requiredOption('--teacher <where>', 'onnx:FILE, http://HOST:PORT/v2/models/NAME or grpc://HOST:PORT/NAME')
    .option('--network <name>', 'student: lenet5 or lenet5-half', 'lenet5-half')
    .addOption(
      new Option('--recipe <name>', 'paper: as published; best: what did best here')
        .choices(RECIPE_NAMES)
        .default('paper'),
    )
    .option('--seed <n>', 'seed of everything random', naturalOption, 1)
    .option('--seeds <list>', 'several seeds, e.g. 1,2,3,4,5: prints mean and spread', seedsOption)
    .option('--images <n>', 'real images (a multiple of 10)', naturalOption, PAPER.images)
    .option('--synthetic <n>', 'synthetic images', naturalOption, PAPER.synthetic)
    .option('--data <dir>', "folder of the four IDX files; default: where Debian's dataset-fashion-mnist puts them")
    .addOption(
      new Option('--engine <name>', 'what trains; wasm gives the same bits on every machine')
        .choices(ENGINE_NAMES)
        .default('auto'),
    )
    .option('--threads <n>', 'threads that share a batch of the training (default: 1)', naturalOption)
    .option('--out <dir>', 'folder of the results', './out');
  return addGlobalOptions(command).action(async (_set: string, options: ReproduceOptions) => {
    if (options.images < CLASSES || options.images % CLASSES !== 0) {
      throw new ConfigError(
        `--images is ${options.images}: the paper draws equally from ${CLASSES} classes, give a multiple`,
      );
    }
    const { draws, test } = await drawnImages(options.seeds ?? [options.seed], options);
    const reports: Report[] = [];
    for (const draw of draws) {
      const out = options.seeds ? join(options.out, `seed-${draw.seed}`) : options.out;
      const report = await reproduce(draw, test, out, context, options);
      if (!report) return;
      reports.push(report);
    }
    if (!options.json) printSummary(reports, options, context.output);
  });
}

/** The real images of one seed. */
interface Draw {
  seed: number;
  images: ImageBatch;
}

/** The set itself is left behind: it is larger than all that a run keeps in memory. */
async function drawnImages(
  seeds: readonly number[],
  options: ReproduceOptions,
): Promise<{ draws: Draw[]; test: ReadImagesResult }> {
  const { train, test } = await fashionMnist(options.data === undefined ? {} : { dataDir: options.data });
  const draws = seeds.map((seed) => ({
    seed,
    images: selectImages(train.images, balancedDraw(train.labels!, options.images / CLASSES, seed)),
  }));
  return { draws, test };
}

function reproduce(
  { seed, images }: Draw,
  test: ReadImagesResult,
  out: string,
  context: CommandContext,
  options: ReproduceOptions,
): Promise<Report | undefined> {
  const settings = settingsFrom({
    name: `fashion-mnist ${options.network} ${options.recipe} seed ${seed}`,
    teacher: TEACHER_NAME,
    images: { path: 'Fashion-MNIST' },
    classes: CLASSES,
    synthesis: {
      images: options.synthetic,
      cvae: { epochs: PAPER.cvaeEpochs },
      // Clothes stay what they are in a mirror. Only the best recipe moves images before it asks.
      ...(options.recipe === 'best' && { source: { flip: true } }),
    },
    student: { network: options.network, recipe: options.recipe },
    evaluation: { teacherImages: test.images.count, standardKd: true },
    engine: options.engine,
    ...(options.threads !== undefined && { threads: options.threads }),
    seed,
  });
  return runDirectly(
    {
      settings,
      teachers: [teacherFrom(options.teacher)],
      real: { images },
      test: {
        images: test.images,
        ...(test.labels && { labels: test.labels }),
        ...(test.classNames && { classNames: test.classNames }),
      },
      out,
      goOn: GO_ON,
    },
    context,
    options,
  );
}

/** @throws ConfigError */
function teacherFrom(where: string): TeacherConfig {
  if (where.startsWith('onnx:')) {
    return parseTeacherConfig(TEACHER_NAME, {
      adapter: 'onnx',
      path: where.slice('onnx:'.length),
      limits: { imagesPerCall: 256, concurrency: 1 },
    });
  }
  const http = /^(https?:\/\/[^/]+)\/v2\/models\/([^/]+)$/.exec(where);
  if (http) {
    return parseTeacherConfig(TEACHER_NAME, {
      adapter: 'open-inference-http',
      url: http[1],
      model: http[2],
      ...SERVED,
    });
  }
  const grpc = /^grpc:\/\/([^/]+)\/([^/]+)$/.exec(where);
  if (grpc) {
    return parseTeacherConfig(TEACHER_NAME, {
      adapter: 'open-inference-grpc',
      url: grpc[1],
      model: grpc[2],
      ...SERVED,
    });
  }
  throw new ConfigError(
    `--teacher is "${where}": write onnx:FILE, http://HOST:PORT/v2/models/NAME or grpc://HOST:PORT/NAME`,
  );
}

/** As "bbdistill teacher serve" has it. */
const SERVED = {
  input: { name: 'images', layout: 'NHWC', datatype: 'FP32', scale: '1/255' },
  answer: { kind: 'probabilities', output: 'probabilities' },
  limits: { imagesPerCall: 256, concurrency: 2 },
};

function printSummary(reports: readonly Report[], options: ReproduceOptions, output: Output): void {
  const percent = (value: number | null | undefined) =>
    typeof value !== 'number' ? '–' : `${(value * 100).toFixed(2)} %`;
  for (const { run, accuracy, queries } of reports) {
    output.stdout(
      `seed ${run.seed}: accuracy ${percent(accuracy)}, asked ${queries.asked}, cached ${queries.cached}, ` +
        `coalesced ${queries.coalesced}, billed ${queries.billed}`,
    );
  }
  const accuracies = reports.flatMap(({ accuracy }) => (accuracy === null ? [] : [accuracy]));
  const asInPaper = options.images === PAPER.images && options.synthetic === PAPER.synthetic;
  const paper = asInPaper ? PAPER_ACCURACY[options.network] : undefined;
  if (accuracies.length > 1) {
    const mean = accuracies.reduce((sum, accuracy) => sum + accuracy, 0) / accuracies.length;
    output.stdout(
      `mean over ${accuracies.length} seeds: ${percent(mean)}, ` +
        `from ${percent(Math.min(...accuracies))} to ${percent(Math.max(...accuracies))}`,
    );
  }
  if (paper !== undefined) output.stdout(`the paper says ${percent(paper)} for ${options.network} (its own recipe)`);
}
