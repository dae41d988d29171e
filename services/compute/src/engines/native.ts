import type { ClassifierOptions, CvaeOptions, Engine } from '../engine.js';
import { KernelClassifier } from './kernel-classifier.js';
import { KernelCvae } from './kernel-cvae.js';
import { instantiateNativeKernels, nativeInstructionSets } from './native-kernels.js';

/**
 * Our kernels compiled for this machine's CPU. The same instruction set gives the same bits; another one, or another
 * compiler, may round otherwise.
 * @param instructionSet one of `nativeInstructionSets`; the best by default
 * @throws FailedPreconditionError where the addon wasn't built or doesn't load here
 */
export function createNativeEngine(instructionSet: string = nativeInstructionSets()[0]): Engine {
  const instantiate = () => instantiateNativeKernels(instructionSet);
  return {
    name: 'native',
    description: `native: own kernels, C compiled for ${instructionSet}`,
    createClassifier: (options: ClassifierOptions) => new KernelClassifier(options, instantiate),
    createCvae: (options: CvaeOptions) => new KernelCvae(options, instantiate),
  };
}
