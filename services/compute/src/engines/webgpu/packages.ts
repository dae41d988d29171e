import { createRequire } from 'node:module';
import { FailedPreconditionError } from '@bbdistill/common/base';

/** Where the packages are that the engine is made of. */
export interface WebgpuPackages {
  /** Dawn for Node. */
  webgpu: string;
  tfjs: string;
  /** TensorFlow.js on WebGPU. */
  backend: string;
}

const NAMES: WebgpuPackages = {
  webgpu: 'webgpu',
  tfjs: '@tensorflow/tfjs',
  backend: '@tensorflow/tfjs-backend-webgpu',
};
const INSTALL = `npm install ${Object.values(NAMES).join(' ')}`;

/**
 * @param place from where they are looked for: peer dependencies of this package
 * @throws FailedPreconditionError naming those that aren't installed
 */
export function findWebgpuPackages(place: string | URL = import.meta.url): WebgpuPackages {
  const require = createRequire(place);
  const missing: string[] = [];
  const find = (name: string) => {
    try {
      return require.resolve(name);
    } catch {
      missing.push(name);
      return '';
    }
  };
  const found = { webgpu: find(NAMES.webgpu), tfjs: find(NAMES.tfjs), backend: find(NAMES.backend) };
  if (missing.length > 0) {
    const verb = missing.length === 1 ? 'is' : 'are';
    throw new FailedPreconditionError(`${missing.join(', ')} ${verb} not installed; ${INSTALL}`, {
      code: 'ENGINE_NOT_INSTALLED',
    });
  }
  return found;
}
