import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ConfigError, NotFoundError, openEmbeddedStores, pixelsPerImage, systemClock } from '@bbdistill/common';
import type { ImageBatch, ImageShape } from '@bbdistill/common';
import { MAX_SAMPLES_PER_KIND, drawSamples } from '@bbdistill/orchestrator';
import { EmbeddedAnswerCache, TeacherRegistry } from '@bbdistill/teacher-proxy';
import type { TeacherConfig, TeacherFacts } from '@bbdistill/teacher-proxy';
import { Command } from 'commander';
import { takesSettings } from '../context.js';
import type { CommandContext } from '../context.js';
import { OutputFolderError, prepareOutputFile } from '../download.js';
import { EXIT } from '../exit-codes.js';
import { readImages, selectImages } from '../images/index.js';
import { positiveOption } from '../options.js';
import { readRunImages } from '../prepare-run.js';
import { readSettings } from '../run-file.js';
import { DEFAULT_STATE_FOLDER } from '../session.js';
import { checkTeacher } from './check-teacher.js';
import type { TeacherCheck } from './check-teacher.js';
import { describeCheck, describePlan } from './describe-check.js';

/** Few, as each may be billed. */
export const DEFAULT_CHECK_IMAGES = 4;
/** Shape of drawn images where neither teacher nor settings name one. */
const FALLBACK_SHAPE: ImageShape = { height: 28, width: 28, channels: 1 };

interface CheckOptions {
  state: string;
  images: number;
  from?: string;
  classes?: number;
  out?: string;
  json?: boolean;
}

/** What is to be checked, from a run file or from the state folder. */
interface Subject {
  config: TeacherConfig;
  classes?: number;
  classNames: readonly string[];
  /** Absent: there are none to ask about. */
  readOwnImages?: () => Promise<ImageBatch>;
}

/** `bbdistill teacher check FILE|NAME` */
export function checkCommand(context: CommandContext): Command {
  return takesSettings(new Command('check'))
    .description('ask a teacher about a few images (they may be billed, once) and show what was understood')
    .argument(
      '<file-or-name>',
      'YAML file of a run or of teachers, or the name of a teacher that the state folder knows',
    )
    .argument('[teacher]', "name in the file's teachers block; default: the run's, or the only one")
    .option('--images <n>', 'how many images to ask about at most', positiveOption, DEFAULT_CHECK_IMAGES)
    .option('--from <path>', "images to ask about; default: the run's, else drawn ones")
    .option(
      '--classes <n>',
      "the student's number of classes; default: the run's, else what the teacher says",
      positiveOption,
    )
    .option('--out <file.png>', 'draw the images with the first answers')
    .option('--state <dir>', 'folder where answers and the ledger are kept', DEFAULT_STATE_FOLDER)
    .option('--json', 'print JSON for machines')
    .action(async (source: string, named: string | undefined, options: CheckOptions) => {
      if (options.images > MAX_SAMPLES_PER_KIND) {
        throw new ConfigError(`--images is ${options.images}: a check asks about ${MAX_SAMPLES_PER_KIND} at most`);
      }
      const { output, interrupt } = context;
      // Before anything is paid for.
      if (options.out !== undefined) await prepareOutputFile('--out', options.out);
      const stores = await openEmbeddedStores({ folder: options.state, clock: systemClock });
      const cache = new EmbeddedAnswerCache(join(options.state, 'answers'));
      let check: TeacherCheck;
      try {
        const subject = await subjectOf(source, named, new TeacherRegistry(stores.state), context);
        const classes = options.classes ?? subject.classes;
        const found = await checkTeacher(subject.config, {
          state: stores.state,
          marks: stores.marks,
          cache,
          env: process.env,
          signal: interrupt,
          images: (facts) => probeImages(subject, facts, options, context),
          ...(classes !== undefined && { classes }),
          onPlan: (plan) => output.stderr(describePlan(plan, subject.config)),
        });
        ({ check } = found);
        const classNames = namesOf(subject, check);
        if (options.json) output.stdout(JSON.stringify({ ...check, classNames }));
        else for (const line of describeCheck(check, classNames)) output.stdout(line);
        if (options.out !== undefined && found.images && found.answers) {
          const samples = { images: found.images, answers: found.answers };
          const picture = await drawSamples(`Teacher ${check.name}`, samples, classNames);
          await writeFile(options.out, picture).catch((cause: unknown) => {
            throw new OutputFolderError(dirname(options.out!), cause);
          });
        }
        if (options.out !== undefined) {
          output.stderr(
            found.images
              ? `${options.out} shows the images and answers`
              : `${options.out} is not written: nothing was asked`,
          );
        }
      } finally {
        await cache.close();
        await stores.close();
      }
      if (check.problem !== undefined) context.setExitCode(EXIT.unavailable);
    });
}

/** A name without an ending is a registered teacher, everything else a file. */
async function subjectOf(
  source: string,
  named: string | undefined,
  registry: TeacherRegistry,
  context: CommandContext,
): Promise<Subject> {
  if (named === undefined && (await registry.names()).includes(source)) {
    return { config: await registry.get(source), classNames: [] };
  }
  const file = await readSettings(source, context.overrides).catch(async (error: unknown) => {
    // Whoever gave a bare name meant a teacher: the nearest known one helps more than a file that isn't there.
    if (named === undefined && /^[\w-]+$/.test(source)) await registry.get(source);
    throw error;
  });
  const { teachers, run, baseFolder } = file;
  const known = teachers.map((teacher) => teacher.name).join(', ') || 'none';
  const name = named ?? (run ? run.teacher : teachers.length === 1 ? teachers[0]!.name : undefined);
  if (name === undefined) throw new ConfigError(`${source} describes several teachers: name one of ${known}`);
  const config = teachers.find((teacher) => teacher.name === name);
  if (!config) {
    throw new NotFoundError(`${source} describes no teacher "${name}", but: ${known}`, { code: 'TEACHER_NOT_FOUND' });
  }
  if (!run) return { config, classNames: [] };
  const { output, interrupt: signal } = context;
  return {
    config,
    classes: run.classes,
    classNames: run.classNames ?? [],
    // The very images of the run: what a check pays for, the run doesn't pay again.
    readOwnImages: async () =>
      (await readRunImages('run.images', { settings: run.images, seed: run.seed, baseFolder, output, signal })).images,
  };
}

/** By `answer.labels` or `run.classNames`; where several labels mean one class, the first names it. */
function namesOf({ config, classNames }: Subject, { classes = 0 }: TeacherCheck): string[] {
  const names = Array.from({ length: classes }, (_, index) => classNames[index] ?? '');
  for (const [label, index] of Object.entries(config.answer.labels ?? {})) {
    if (index !== null && index < classes) names[index] ||= label;
  }
  return names;
}

/** @throws ImageFileError where images are named and can't be read: drawn ones in their place would be paid for nothing */
async function probeImages(
  { config, readOwnImages }: Subject,
  facts: TeacherFacts,
  { images: wanted, from }: CheckOptions,
  { interrupt: signal }: CommandContext,
): Promise<ImageBatch> {
  if (from !== undefined) return spread((await readImages({ path: from, signal })).images, wanted);
  return readOwnImages ? spread(await readOwnImages(), wanted) : drawnImages(config, facts, wanted);
}

/** From all over the set, as classes often lie one after the other. */
function spread(images: ImageBatch, wanted: number): ImageBatch {
  const count = Math.min(wanted, images.count);
  return selectImages(
    images,
    Array.from({ length: count }, (_, index) => Math.floor((index * images.count) / count)),
  );
}

/** A black image, then stripes ever narrower. */
function drawnImages(config: TeacherConfig, facts: TeacherFacts, count: number): ImageBatch {
  const { size, channels } = config.input;
  const shape = facts.inputShape ?? {
    height: size?.[0] ?? FALLBACK_SHAPE.height,
    width: size?.[1] ?? FALLBACK_SHAPE.width,
    channels: channels ?? FALLBACK_SHAPE.channels,
  };
  const bytes = pixelsPerImage(shape);
  const pixels = Uint8Array.from({ length: count * bytes }, (_, at) => ((at % bytes) * Math.floor(at / bytes)) % 256);
  return { count, shape, pixels };
}
