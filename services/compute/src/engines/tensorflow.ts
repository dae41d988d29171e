import { createRequire } from 'node:module';
import util from 'node:util';
import { isMainThread } from 'node:worker_threads';
import { FailedPreconditionError } from '@bbdistill/common/base';
import type { Engine } from '../engine.js';
import { describeGpuFindings, findGpus, mayHaveNvidiaGpu } from './gpu-findings.js';
import type { GpuFindings } from './gpu-findings.js';
import { createTfjsEngine } from './tfjs/engine.js';
import type { Tfjs } from './tfjs/tfjs.js';

type TensorflowName = Extract<Engine['name'], 'tensorflow' | 'tensorflow-gpu'>;

const PACKAGES: Readonly<Record<TensorflowName, { name: string; setUp: string }>> = {
  tensorflow: { name: '@tensorflow/tfjs-node', setUp: 'npm run setup:tensorflow' },
  'tensorflow-gpu': { name: '@tensorflow/tfjs-node-gpu', setUp: 'npm run setup:gpu' },
};

/**
 * From where the package is looked for: where `scripts/build-tensorflow-addon.mjs` installs it, seen from `src` and
 * from `dist` alike, then as a peer dependency.
 */
const PLACES: readonly (string | URL)[] = [
  new URL('../../../../deploy/tensorflow/package.json', import.meta.url),
  import.meta.url,
];

/** What the package adds to TensorFlow.js. */
interface NodeBackend {
  binding: { TF_Version: string };
  isUsingGpuDevice: boolean;
}

/**
 * @tensorflow/tfjs-node(-gpu), the engine of GPU machines. It wants a process's main thread: its addon crashes in
 * worker threads.
 * @param findings looks for a GPU, for refusals
 * @throws FailedPreconditionError where the package isn't installed, doesn't load, or `tensorflow-gpu` finds no GPU
 */
export function createTensorflowEngine(
  name: TensorflowName,
  findings: () => GpuFindings = findGpus,
  places: readonly (string | URL)[] = PLACES,
): Engine {
  const { name: packageName } = PACKAGES[name];
  const tf = loadTensorflow(name, findings, places);
  const { binding, isUsingGpuDevice } = tf.backend() as unknown as NodeBackend;
  const device = isUsingGpuDevice ? (findings().cards[0] ?? 'GPU') : 'CPU';
  const versions = `${packageName} ${tf.version['tfjs-core']}, TensorFlow ${binding.TF_Version}`;
  return createTfjsEngine(tf, { name, description: `${name}: ${versions}, on ${device}` });
}

/** The package's namespace. @throws as `createTensorflowEngine` */
export function loadTensorflow(
  name: TensorflowName,
  findings: () => GpuFindings = findGpus,
  places: readonly (string | URL)[] = PLACES,
): Tfjs {
  const { name: packageName, setUp } = PACKAGES[name];
  const path = requireTensorflow(name, findings, places);
  if (!isMainThread) {
    throw new FailedPreconditionError(
      `${packageName} crashes in worker threads: run the task with isolation 'process'`,
      { code: 'ENGINE_NEEDS_PROCESS' },
    );
  }
  const tf = load(packageName, path, setUp);
  const { binding, isUsingGpuDevice } = tf.backend() as unknown as NodeBackend;
  if (name === 'tensorflow-gpu' && !isUsingGpuDevice) {
    throw new FailedPreconditionError(
      `TensorFlow ${binding.TF_Version} sees no GPU (${describeGpuFindings(findings())}); its CUDA must suit the ` +
        `driver: ${setUp} installs a TensorFlow with CUDA 12, TF_CPP_MIN_LOG_LEVEL=0 shows what TensorFlow itself says`,
      { code: 'GPU_NOT_FOUND' },
    );
  }
  return tf;
}

/**
 * Looks whether the engine can be had at all, which takes milliseconds where loading it takes seconds.
 * @returns where the package is
 * @throws FailedPreconditionError where the package isn't installed, or `tensorflow-gpu` can have no GPU here
 */
export function requireTensorflow(
  name: TensorflowName,
  findings: () => GpuFindings = findGpus,
  places: readonly (string | URL)[] = PLACES,
): string {
  const { name: packageName, setUp } = PACKAGES[name];
  const path = pathOf(packageName, places);
  if (path === undefined) {
    throw new FailedPreconditionError(`${packageName} is not installed; ${setUp} installs it`, {
      code: 'ENGINE_NOT_INSTALLED',
    });
  }
  const found = name === 'tensorflow-gpu' ? findings() : undefined;
  if (found && !mayHaveNvidiaGpu(found)) {
    throw new FailedPreconditionError(`there is no NVIDIA GPU here (${describeGpuFindings(found)})`, {
      code: 'GPU_NOT_FOUND',
    });
  }
  return path;
}

function pathOf(packageName: string, places: readonly (string | URL)[]): string | undefined {
  for (const place of places) {
    try {
      return createRequire(place).resolve(packageName);
    } catch {
      // Not from there.
    }
  }
  return undefined;
}

function load(packageName: string, path: string, setUp: string): Tfjs {
  // As the operator set them, else: not all of the GPU's memory at once, the same bits every time, errors only.
  process.env['TF_FORCE_GPU_ALLOW_GROWTH'] ??= 'true';
  process.env['TF_DETERMINISTIC_OPS'] ??= '1';
  process.env['TF_CPP_MIN_LOG_LEVEL'] ??= '2';
  // The package calls it; Node 23 and later don't have it any more.
  const legacy = util as unknown as { isNullOrUndefined?: (value: unknown) => boolean };
  legacy.isNullOrUndefined ??= (value) => value === null || value === undefined;
  try {
    return createRequire(path)(path) as Tfjs;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.trim().split('\n')[0] : String(cause);
    throw new FailedPreconditionError(`${packageName} does not load: ${reason}; ${setUp} builds it anew`, {
      code: 'ENGINE_NOT_LOADED',
      cause,
    });
  }
}
