import type { TeacherDescription__Output } from '@bbdistill/common/gen/bbdistill/v1/TeacherDescription.js';
import type { CheckedSpec } from '../spec.js';

/** A spec that passes every check; for tests. */
export function aSpec(over: Partial<CheckedSpec> = {}): CheckedSpec {
  return {
    name: 'a run',
    teacher: 'fake',
    images: 'real-images',
    test: 'test-images',
    classes: 10,
    classNames: [],
    synthesis: {
      images: 24_000,
      mixupAlpha: 1,
      dropBelow: 0.05,
      mixupShare: 1,
      cutmixShare: 0,
      augmentedShare: 0,
      cvaeShare: 0,
      source: { flip: false, rotationDegrees: 0, shift: 0, scale: 0 },
      cvae: { architecture: 'dense', epochs: 100, batch: 256, latent: 2, learningRate: 1e-3 },
    },
    student: {
      network: 'lenet5-half',
      topology: '',
      recipeName: 'paper',
      recipe: {
        epochs: 50,
        batch: 64,
        schedule: 'constant',
        learningRate: 1e-3,
        batchMixupAlpha: 1,
        rotationDegrees: 10,
        shift: 0.1,
        flip: false,
        balance: 0,
        temperature: 1,
        weightDecay: 0,
        emaDecay: 0,
      },
    },
    evaluation: { teacherImages: 0, standardKd: false },
    budget: null,
    threads: 0,
    overlap: false,
    engine: 'auto',
    seed: 1,
    ...over,
  };
}

/** A teacher without limit and price; for tests. */
export function aTeacher(over: Partial<TeacherDescription__Output> = {}): TeacherDescription__Output {
  return {
    name: 'fake',
    adapter: 'fake',
    endpoint: '',
    cacheIdentity: 'fake',
    classes: 10,
    inputShape: null,
    answerKind: 'probabilities',
    imagesPerCall: 20,
    imagesPerSecond: 0,
    pricePerImageMicros: 0,
    pricePerCallMicros: 0,
    currency: 'USD',
    ready: true,
    detail: '',
    rates: [],
    ...over,
  };
}
