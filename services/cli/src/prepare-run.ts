import { ConfigError } from '@bbdistill/common';
import type { RunSpec__Output } from '@bbdistill/common/gen/bbdistill/v1/RunSpec.js';
import { readImages } from './images/index.js';
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

/** Reads and uploads the images of a run file. */
export async function prepareRun(
  { run, baseFolder }: RunFile,
  orchestrator: Orchestrator,
  output: Output,
  signal: AbortSignal,
): Promise<RunSpec__Output> {
  const topology = await readTopology(run, baseFolder);
  // The real images are taken as unlabelled even where their folder says more.
  const real = await readRunImages('run.images', run.images, 'none', baseFolder, run.seed, output);
  const images = await uploadImages(orchestrator, { images: real.images }, signal);
  if (!run.test) return runSpecOf(run, { images: images.id, test: '', classNames: [] }, topology);
  const test = await readRunImages('run.test', run.test, run.test.labels, baseFolder, run.seed, output);
  const highest = test.labels?.reduce((most, label) => Math.max(most, label), -1) ?? -1;
  if (highest >= run.classes) {
    throw new ConfigError(`run.test has a label ${highest} and run.classes is ${run.classes}: labels are 0..classes-1`);
  }
  const classNames = test.classNames ?? [];
  const tested = await uploadImages(
    orchestrator,
    { images: test.images, ...(test.labels && { labels: test.labels }), classNames },
    signal,
  );
  const named = classNames.length === run.classes ? classNames : [];
  return runSpecOf(run, { images: images.id, test: tested.id, classNames: named }, topology);
}

/** @param setting named in what is said of the images */
export async function readRunImages(
  setting: string,
  settings: ImagesSettings,
  labels: string,
  baseFolder: string,
  seed: number,
  output: Output,
): Promise<ReadImagesResult> {
  const { path, limit, resize, ...rest } = settings;
  const result = await readImages({
    path: pathIn(baseFolder, path),
    format: rest.format,
    labels: LABEL_WORDS.has(labels) ? labels : pathIn(baseFolder, labels),
    seed,
    skipBad: rest.skipBad,
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
