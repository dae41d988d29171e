import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { workerData } from 'node:worker_threads';
import { FailedPreconditionError } from '@bbdistill/common/base';
import { TfjsClassifier } from '../tfjs/classifier.js';
import { TfjsCvae } from '../tfjs/cvae.js';
import { readLater } from '../tfjs/reading.js';
import type { Reading } from '../tfjs/reading.js';
import type { Tfjs } from '../tfjs/tfjs.js';
import { describeGpuFindings, findGpus } from '../gpu-findings.js';
import { sendable } from '../../sent-failure.js';
import type { AdapterFacts, CreatedNetwork, DeviceAnswer, DeviceRequest, DeviceThreadData } from './messages.js';

// Owns the device. It answers by promises only, which a thread that is blocked in a training step would never see
// fulfilled: this one waits for them, and the other one waits for it.

/** Of what Dawn for Node has, what is used here. */
interface Dawn {
  create: (flags: readonly string[]) => { requestAdapter(): Promise<DawnAdapter | null> };
  globals: object;
}

interface DawnAdapter {
  info: { vendor: string; architecture: string; description: string; isFallbackAdapter?: boolean };
}

interface OnDevice {
  network: TfjsClassifier | TfjsCvae;
  buffers: CreatedNetwork['buffers'];
}

/** Drivers that compute on the processor. */
const SOFTWARE = /swiftshader|llvmpipe|lavapipe|software|warp/i;

const { packages, port, answers } = workerData as DeviceThreadData;
const answered = new Int32Array(answers);
const networks = new Map<number, OnDevice>();
let created = 0;

const starting = start();
port.on('message', (request: DeviceRequest) => void answer(starting.then(({ tf }) => run(tf, request))));
await answer(starting.then(({ facts }) => facts));

async function answer(work: Promise<unknown>): Promise<void> {
  const message: DeviceAnswer = await work.then(
    (result) => ({ result }),
    (thrown: unknown) => ({ failure: sendable(thrown) }),
  );
  port.postMessage(message);
  Atomics.add(answered, 0, 1);
  Atomics.notify(answered, 0);
}

/** @throws FailedPreconditionError where the packages don't load or there is no adapter */
async function start(): Promise<{ tf: Tfjs; facts: AdapterFacts }> {
  const { create, globals } = (await import(pathToFileURL(packages.webgpu).href).catch((cause: unknown) => {
    throw new FailedPreconditionError(`webgpu does not load: ${firstLine(cause)}`, {
      code: 'ENGINE_NOT_LOADED',
      cause,
    });
  })) as Dawn;
  const gpu = create([]);
  Object.assign(globalThis, globals);
  // Where the backend looks for it, as in a browser. Node 21 and later have a navigator without a GPU.
  Object.defineProperty(globalThis, 'navigator', { value: { gpu }, configurable: true });
  const adapter = await gpu.requestAdapter();
  if (!adapter) {
    throw new FailedPreconditionError(
      `WebGPU found no adapter (${describeGpuFindings(findGpus())}); on Linux it needs a Vulkan driver of the GPU`,
      { code: 'GPU_NOT_FOUND' },
    );
  }
  const require = createRequire(packages.backend);
  // First the one that knows gradients: both share what is registered.
  const tf = require(packages.tfjs) as Tfjs;
  require(packages.backend);
  if (!(await tf.setBackend('webgpu'))) {
    throw new FailedPreconditionError('TensorFlow.js could not start on WebGPU', { code: 'ENGINE_NOT_LOADED' });
  }
  const { vendor, architecture, description, isFallbackAdapter = false } = adapter.info;
  const name = description || [vendor, architecture].filter(Boolean).join(' ') || 'unnamed adapter';
  const isSoftware = isFallbackAdapter || SOFTWARE.test(`${architecture} ${description}`);
  return { tf, facts: { name, isSoftware, version: tf.version_core } };
}

async function run(tf: Tfjs, request: DeviceRequest): Promise<unknown> {
  if (request.kind === 'create-classifier') {
    const network = new TfjsClassifier(request.options, tf);
    return keep(network, { images: network.images, targets: network.targets });
  }
  if (request.kind === 'create-cvae') {
    const network = new TfjsCvae(request.options, tf);
    return keep(network, { images: network.images, conditions: network.conditions, noise: network.noise });
  }
  const { id, method, args } = request;
  const known = networks.get(id);
  if (!known) throw new FailedPreconditionError(`there is no network ${id} on the device any more; compile it anew`);
  if (method === 'dispose') networks.delete(id);
  const network = known.network as unknown as Record<string, unknown>;
  if (method === 'trainStep') {
    for (const [name, shared] of Object.entries(known.buffers)) (network[name] as Float32Array).set(shared);
  }
  const result = (network[method] as (...args: unknown[]) => unknown).apply(known.network, [...args]);
  return isReading(result) ? readLater(result) : result;
}

function keep(network: OnDevice['network'], own: Readonly<Record<string, Float32Array>>): CreatedNetwork {
  const buffers = Object.fromEntries(
    Object.entries(own).map(([name, { byteLength }]) => [name, new Float32Array(new SharedArrayBuffer(byteLength))]),
  );
  const id = created++;
  networks.set(id, { network, buffers });
  return { id, buffers };
}

function isReading(result: unknown): result is Reading<unknown> {
  return typeof result === 'object' && result !== null && Symbol.iterator in result && 'next' in result;
}

function firstLine(thrown: unknown): string {
  return (thrown instanceof Error ? thrown.message : String(thrown)).trim().split('\n')[0] ?? '';
}
