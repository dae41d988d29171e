import { ConfigError } from '@bbdistill/common';
import type { ImageBatch } from '@bbdistill/common';
import type { RunSpec__Output } from '@bbdistill/common/gen/bbdistill/v1/RunSpec.js';
import { holdOut, readImages } from './images/index.js';
import type { ReadImagesResult } from './images/index.js';
import type { Output } from './output.js';
import { pathIn } from './run-file.js';
import { readTopology } from './topology-file.js';
import type { ImagesSettings, RunFile } from './run-file.js';
import { runSpecOf } from './run-spec.js';
import type { Orchestrator } from './session.js';
import { uploadImages } from './upload.js';

/** What `run.test.labels` may be besides the path of a file. */
const LABEL_WORDS = new Set(['none', 'folder', 'auto']);
const NAMES_SHOWN = 10;
/** Images that the hint asks to hold out: a tenth of those given, and no more than measure well enough. */
const MOST_HELD_OUT = 100;

/** Reads and uploads the images of a run file. */
export async function prepareRun(
  { run, baseFolder }: RunFile,
  orchestrator: Orchestrator,
  output: Output,
  signal: AbortSignal,
): Promise<RunSpec__Output> {
  const topology = await readTopology(run, baseFolder);
  // The real images are taken as unlabelled even where their folder says more.
  const from = { seed: run.seed, baseFolder, output, signal };
  const real = await readRunImages('run.images', { settings: run.images, ...from });
  if (!run.test) {
    const { kept, heldOut } = asideOf(real.images, run, output);
    const { id: images } = await uploadImages(orchestrator, { images: kept }, signal);
    const test = heldOut && (await uploadImages(orchestrator, { images: heldOut }, signal)).id;
    return runSpecOf(run, { images, test: test ?? '', classNames: [] }, topology);
  }
  const images = await uploadImages(orchestrator, { images: real.images }, signal);
  const { labels, ...settings } = run.test;
  const test = await readRunImages('run.test', { settings, labels, declared: run.classNames, ...from });
  const highest = test.labels?.reduce((most, label) => Math.max(most, label), -1) ?? -1;
  if (highest >= run.classes) {
    throw new ConfigError(`run.test has a label ${highest} and run.classes is ${run.classes}: labels are 0..classes-1`);
  }
  const classNames = test.classNames ?? [];
  if (test.sorted) noteOrder(classNames, run.classes, output);
  const tested = await uploadImages(
    orchestrator,
    { images: test.images, ...(test.labels && { labels: test.labels }), classNames },
    signal,
  );
  const named = classNames.length === run.classes ? classNames : [];
  return runSpecOf(run, { images: images.id, test: tested.id, classNames: named }, topology);
}

/** What is held out of the given images; without that nothing tells how good the student is. */
function asideOf(
  images: ImageBatch,
  { evaluation, seed }: RunFile['run'],
  output: Output,
): { kept: ImageBatch; heldOut?: ImageBatch } {
  if (evaluation.holdOut > 0) return holdOut(images, evaluation.holdOut, seed);
  output.stderr(withoutTestImages(images.count));
  return { kept: images };
}

/** @param given how many images the run has */
export function withoutTestImages(given: number): string {
  const unknown = 'no test images: how well student and teacher agree stays unknown';
  const wouldDo = Math.min(MOST_HELD_OUT, Math.floor(given / 10));
  if (wouldDo === 0) return unknown;
  return `${unknown}; --run.evaluation.holdOut ${wouldDo} keeps so many of the given images for that`;
}

/** @throws ConfigError where the classes' numbers can't be told from the names that the test images have */
function noteOrder(classNames: readonly string[], classes: number, output: Output): void {
  const some = classNames.slice(0, NAMES_SHOWN).map((name, label) => `${name} ${label}`);
  const numbered = some.join(', ') + (classNames.length > NAMES_SHOWN ? ', …' : '');
  if (classNames.length !== classes) {
    throw new ConfigError(
      `run.test has images of ${classNames.length} classes (${numbered}) and run.classes is ${classes}: ` +
        `set run.classNames to the names of all ${classes}, in the order of the teacher's answers`,
    );
  }
  output.stderr(
    `run.test: classes are numbered in the order of their names (${numbered}); set run.classNames where the teacher's ` +
      'order is another',
  );
}

interface RunImages {
  settings: ImagesSettings;
  /** Default: none are looked for. */
  labels?: string;
  /** The classes' names, in the teacher's order. */
  declared?: readonly string[] | undefined;
  seed: number;
  baseFolder: string;
  output: Output;
  signal: AbortSignal;
}

/** @param setting named in what is said of the images */
export async function readRunImages(
  setting: string,
  { settings, labels = 'none', declared, seed, baseFolder, output, signal }: RunImages,
): Promise<ReadImagesResult> {
  const { path, limit, resize, ...rest } = settings;
  const result = await readImages({
    path: pathIn(baseFolder, path),
    format: rest.format,
    labels: LABEL_WORDS.has(labels) ? labels : pathIn(baseFolder, labels),
    seed,
    skipBad: rest.skipBad,
    signal,
    ...(declared && { classNames: declared }),
    ...(limit !== undefined && { limit }),
    ...(resize && { resize }),
    ...(rest.channels && { channels: rest.channels }),
    ...(rest.alpha && { alpha: rest.alpha }),
    ...(rest.layout && { layout: rest.layout }),
  });
  for (const { file, reason } of result.skipped) output.stderr(`${setting}: skipped ${file}: ${reason}`);
  for (const note of result.notes) output.stderr(`${setting}: ${note}`);
  return result;
}
