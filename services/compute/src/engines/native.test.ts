import { describe, expect, it } from 'vitest';
import { addonInstructionSets } from '../../../../test/helpers/kernel-families.js';
import { DEFAULT_ADAM } from '../engine.js';
import { networkByName } from '../networks.js';
import { ADDON_PATH, instantiateNativeKernels, loadAddon, nativeInstructionSets } from './native-kernels.js';
import { createNativeEngine } from './native.js';

const SHAPE = { height: 64, width: 64, channels: 3 };
const MIB = 2 ** 20;

function newClassifier(batch = 256) {
  return createNativeEngine().createClassifier({
    network: networkByName('lenet5', SHAPE, 10),
    batch,
    seed: 1,
    loss: { balance: 0, temperature: 1 },
    optimiser: DEFAULT_ADAM,
  });
}

describe('native engine - without its addon', () => {
  it('is refused with how to build it', () => {
    expect(() => loadAddon('/nowhere/kernels.node')).toThrow(
      "the native kernels can't be loaded from /nowhere/kernels.node; with a C compiler, npm run build:native makes them",
    );
  });
});

describe.skipIf(addonInstructionSets().length === 0)(`native engine - needs ${ADDON_PATH}`, () => {
  it('tells its instruction set, the best of this CPU unless another is asked for', () => {
    const sets = nativeInstructionSets();
    expect(createNativeEngine().description).toBe(`native: own kernels, C compiled for ${sets[0]}`);
    expect(createNativeEngine(sets.at(-1)).description).toContain(sets.at(-1));
  });

  it('an instruction set that this CPU lacks is refused', () => {
    expect(() => instantiateNativeKernels('AltiVec')).toThrow(/doesn't have that instruction set/);
  });

  it('dispose empties the views into its memory, so that none reaches freed memory', () => {
    const classifier = newClassifier(4);
    const { images, targets } = classifier;
    expect([images.length, targets.length]).toEqual([4 * 64 * 64 * 3, 40]);
    classifier.dispose();
    expect([images.length, targets.length]).toEqual([0, 0]);
    classifier.dispose();
  });

  it('dispose gives the memory back at once', () => {
    const before = process.memoryUsage.rss();
    for (let i = 0; i < 40; i++) {
      const classifier = newClassifier();
      classifier.images.fill(1);
      classifier.dispose();
    }
    // Kept, the images alone would be 480 MiB.
    expect(process.memoryUsage.rss() - before).toBeLessThan(150 * MIB);
  });

  it('what does not fit is an exception, after which others still train', () => {
    const set = nativeInstructionSets()[0];
    const huge = instantiateNativeKernels(set);
    const self = huge.classifier_new(200_000, 64, 64, 1);
    huge.graph_add_dense(huge.classifier_graph(self), 0, 10, 1, 0, 0);
    expect(() => huge.classifier_finish(self, 0, 1, 0, 0)).toThrow(/out of memory/);
    const deep = instantiateNativeKernels(set);
    const other = deep.classifier_new(1, 1, 1, 1);
    expect(() => {
      for (let i = 0; i < 1025; i++) deep.graph_add_dense(deep.classifier_graph(other), 0, 1, 1, 0, 0);
    }).toThrow(/too many layers/);
    const classifier = newClassifier(2);
    classifier.targets[3] = 1;
    // An image of zeros: all classes are alike to fresh weights. The second has no answer.
    expect(classifier.trainStep(2, 1e-3)).toBeCloseTo(Math.log(10) / 2, 5);
  });

  it('wrong use of the addon is an exception', () => {
    const kernels = instantiateNativeKernels(nativeInstructionSets()[0]);
    const self = kernels.classifier_new(1, 12, 12, 1);
    const call = kernels.classifier_seek.bind(kernels) as (...given: unknown[]) => void;
    expect(() => call(self)).toThrow(/too few or too many arguments/);
    expect(() => call(self, 'two')).toThrow(/must be numbers/);
    expect(() => kernels.classifier_seek.call({} as typeof kernels, self, 2)).toThrow();
    kernels.dispose();
    expect(() => kernels.classifier_seek(self, 2)).toThrow(/memory was released/);
  });
});
