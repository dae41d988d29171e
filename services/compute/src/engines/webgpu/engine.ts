import { FailedPreconditionError } from '@bbdistill/common/base';
import type { Classifier, ClassifierOptions, Cvae, CvaeOptions, Engine, GpuWish } from '../../engine.js';
import { parameterCount } from '../../network-shapes.js';
import { DeviceLink } from './device-link.js';
import type { CreatedNetwork, DeviceRequest } from './messages.js';
import { findWebgpuPackages } from './packages.js';
import type { WebgpuPackages } from './packages.js';

/**
 * TensorFlow.js on WebGPU, by Dawn for Node: GPUs of any make that have Vulkan, Metal or Direct3D 12.
 * @param gpu `required` refuses a driver that computes on the processor
 * @throws FailedPreconditionError where the packages aren't there, don't load, or find no adapter
 */
export async function createWebgpuEngine(
  gpu: GpuWish,
  packages: WebgpuPackages = findWebgpuPackages(),
): Promise<Engine> {
  const link = await DeviceLink.open(packages);
  const { name, isSoftware, version } = link.adapter;
  if (gpu === 'required' && isSoftware) {
    throw new FailedPreconditionError(`WebGPU found only ${name}, which computes on the processor`, {
      code: 'GPU_NOT_FOUND',
    });
  }
  return {
    name: 'webgpu',
    description:
      `webgpu: @tensorflow/tfjs-backend-webgpu ${version} on Dawn, ` +
      `on ${name}${isSoftware ? ' (software, no GPU)' : ''}`,
    createClassifier: (options) => classifierOn(link, options),
    createCvae: (options) => cvaeOn(link, options),
  };
}

/** A network in the device's thread. */
class RemoteNetwork {
  readonly #created: CreatedNetwork;
  #isDisposed = false;

  constructor(
    private readonly link: DeviceLink,
    request: DeviceRequest,
    private readonly owner: string,
  ) {
    this.#created = link.call<CreatedNetwork>(request);
  }

  buffer(name: string): Float32Array {
    this.#requireAlive();
    return this.#created.buffers[name]!;
  }

  call<T>(method: string, ...args: readonly unknown[]): T {
    this.#requireAlive();
    return this.link.call<T>({ kind: 'call', id: this.#created.id, method, args });
  }

  memoryBytes(): number {
    return this.#isDisposed ? 0 : this.call('memoryBytes');
  }

  dispose(): void {
    if (this.#isDisposed) return;
    this.call('dispose');
    this.#isDisposed = true;
  }

  #requireAlive(): void {
    if (this.#isDisposed) throw new FailedPreconditionError(`${this.owner} was disposed of; compile it anew`);
  }
}

function classifierOn(link: DeviceLink, options: ClassifierOptions): Classifier {
  const { network } = options;
  const remote = new RemoteNetwork(link, { kind: 'create-classifier', options }, `network ${network.name}`);
  return {
    network,
    parameterCount: parameterCount(network),
    get images() {
      return remote.buffer('images');
    },
    get targets() {
      return remote.buffer('targets');
    },
    trainStep: (count, learningRate) => remote.call('trainStep', count, learningRate),
    predict: (images, count) => remote.call('predict', images, count),
    weights: () => remote.call('weights'),
    averagedWeights: () => remote.call('averagedWeights'),
    setWeights: (weights) => remote.call('setWeights', weights),
    checkpoint: () => remote.call('checkpoint'),
    restore: (checkpoint) => remote.call('restore', checkpoint),
    memoryBytes: () => remote.memoryBytes(),
    dispose: () => remote.dispose(),
  };
}

function cvaeOn(link: DeviceLink, options: CvaeOptions): Cvae {
  const remote = new RemoteNetwork(link, { kind: 'create-cvae', options }, 'the CVAE');
  return {
    get images() {
      return remote.buffer('images');
    },
    get conditions() {
      return remote.buffer('conditions');
    },
    get noise() {
      return remote.buffer('noise');
    },
    trainStep: (count, learningRate) => remote.call('trainStep', count, learningRate),
    decode: (latents, conditions, count) => remote.call('decode', latents, conditions, count),
    weights: () => remote.call('weights'),
    setWeights: (weights) => remote.call('setWeights', weights),
    checkpoint: () => remote.call('checkpoint'),
    restore: (checkpoint) => remote.call('restore', checkpoint),
    memoryBytes: () => remote.memoryBytes(),
    dispose: () => remote.dispose(),
  };
}
