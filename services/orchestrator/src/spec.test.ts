import { describe, expect, it } from 'vitest';
import { checkBudget, checkDatasets, checkTestLabels, checkedSpec } from './spec.js';
import { aSpec } from './testing/specs.js';

const dataset = (images: number, over: object = {}) => ({
  id: 'x',
  shards: [],
  labels: null,
  images,
  shape: { height: 28, width: 28, channels: 1 },
  classNames: [],
  ...over,
});

const topology = (layer: object, units = 10) =>
  JSON.stringify({
    class_name: 'Sequential',
    config: {
      name: 'mine',
      layers: [
        { class_name: 'InputLayer', config: { name: 'in', batch_input_shape: [null, 28, 28, 1] } },
        layer,
        { class_name: 'Dense', config: { name: 'out', units, activation: 'softmax' } },
      ],
    },
  });
const FLATTEN = { class_name: 'Flatten', config: { name: 'flat' } };

describe('checkedSpec', () => {
  it('takes a good one as it is', () => {
    expect(checkedSpec(aSpec())).toEqual(aSpec());
  });

  it('takes a topology under its own name, a second time too', () => {
    const given = { ...aSpec().student, network: '', topology: topology(FLATTEN) };
    const checked = checkedSpec(aSpec({ student: given }));
    expect(checked.student).toEqual({ ...given, network: 'mine' });
    expect(checkedSpec(checked)).toEqual(checked);
  });

  const { synthesis, student } = aSpec();
  const recipe = (change: object) => ({ student: { ...student, recipe: { ...student.recipe, ...change } } });
  const cvae = (change: object) => ({ synthesis: { ...synthesis, cvae: { ...synthesis.cvae, ...change } } });
  it.each<[string, Parameters<typeof aSpec>[0], RegExp]>([
    ['a path as its name', { name: '../x' }, /name is "\.\.\/x"/],
    ['no teacher', { teacher: '' }, /teacher is missing/],
    ['no images', { images: '' }, /images is missing/],
    ['one class', { classes: 1 }, /at least 2/],
    ['more classes than can be', { classes: 1001 }, /classes is 1001/],
    ['another number of names than classes', { classNames: ['a'] }, /1 names and classes is 10/],
    ['a negative seed', { seed: -1 }, /seed is -1/],
    ['an engine that does not exist', { engine: 'abacus' }, /abacus/],
    [
      'teacher images without test images',
      { test: '', evaluation: { teacherImages: 5, standardKd: false } },
      /test is missing/,
    ],
    ['shares that are all zero', { synthesis: { ...synthesis, mixupShare: 0 } }, /all shares are 0/],
    ['an alpha of 0', { synthesis: { ...synthesis, mixupAlpha: 0 } }, /synthesis: alpha is 0: it must be above 0/],
    [
      'moved images that nothing moves',
      { synthesis: { ...synthesis, augmentedShare: 1, source: null } },
      /synthesis: augmented_share is 1, but source moves nothing/,
    ],
    ['more images in a step of the CVAE than it takes', cvae({ batch: 5000 }), /cvae.batch is 5000.*4096/],
    ['a negative share', { synthesis: { ...synthesis, cutmixShare: -1 } }, /cutmixShare is -1/],
    ['a network that does not exist', { student: { ...student, network: 'vgg' } }, /no network 'vgg'/],
    [
      'a topology with a layer that nobody knows, by its name',
      { student: { ...student, network: '', topology: topology({ class_name: 'LSTM', config: { name: 'memory' } }) } },
      /layer 'memory' \(LSTM\): the engines don't know/,
    ],
    [
      'a topology of another number of classes',
      { student: { ...student, network: '', topology: topology(FLATTEN, 7) } },
      /7 outputs and classes is 10/,
    ],
    [
      'a topology beside a network of ours',
      { student: { ...student, topology: topology(FLATTEN) } },
      /give one of them/,
    ],
    ['a topology that is no JSON', { student: { ...student, network: '', topology: '{' } }, /is not JSON/],
    ['no epochs', recipe({ epochs: 0 }), /recipe.epochs is 0/],
    ['a batch that is none', recipe({ batch: 0.5 }), /recipe.batch is 0.5/],
    [
      'a schedule that does not exist',
      recipe({ schedule: 'yearly' }),
      /schedule is "yearly": use one of constant, step/,
    ],
    ['a rate of zero', recipe({ learningRate: 0 }), /learning_rate is 0/],
    ['a temperature of zero', recipe({ temperature: 0 }), /temperature is 0/],
    ['an average that never moves', recipe({ emaDecay: 1 }), /ema_decay is 1/],
    ['an average of a negative decay', recipe({ emaDecay: -0.1 }), /ema_decay is -0.1/],
    [
      'a CVAE that does not exist',
      cvae({ architecture: 'cubist' }),
      /architecture is "cubist": use one of auto, dense/,
    ],
    ['a CVAE of no epochs', cvae({ epochs: 0 }), /cvae.epochs is 0/],
    ['a part of an image', { synthesis: { ...synthesis, images: 1.5 } }, /synthesis.images is 1.5/],
  ])('refuses %s', (_what, over, message) => {
    expect(() => checkedSpec(aSpec(over))).toThrow(message);
  });
});

describe('checkDatasets', () => {
  it('refuses to mix one image with itself', () => {
    expect(() => checkDatasets(aSpec(), dataset(1), undefined)).toThrow(/needs at least 2 real images/);
    expect(() => checkDatasets(aSpec(), dataset(2), undefined)).not.toThrow();
  });

  it('refuses more images than the messages of a run can name', () => {
    const { synthesis } = aSpec();
    const of = (images: number) => aSpec({ synthesis: { ...synthesis, dropBelow: 0, images } });
    expect(() => checkDatasets(of(2_000_000), dataset(5), undefined)).not.toThrow();
    expect(() => checkDatasets(of(4_000_000), dataset(5), undefined)).toThrow(
      /synthesis.images is 4000000: .* 25\d{5}/,
    );
    const large = dataset(5, { shape: { height: 300, width: 300, channels: 3 } });
    expect(() => checkDatasets(of(2_000_000), large, undefined)).toThrow(/a run can have 6\d{5} beside/);
  });

  it('refuses more pixels or answers than a training can hold', () => {
    const { synthesis } = aSpec();
    const of = (images: number, classes = 10) =>
      aSpec({ classes, synthesis: { ...synthesis, dropBelow: 0, cvaeShare: 0, images } });
    const photos = dataset(2_000, { shape: { height: 224, width: 224, channels: 3 } });
    expect(() => checkDatasets(of(26_000), photos, undefined)).not.toThrow();
    expect(() => checkDatasets(of(28_000), photos, undefined)).toThrow(
      /2000 real and 28000 synthetic images of 224x224x3 .* at most 28532 in all/,
    );
    expect(() => checkDatasets(of(1_200_000, 1_000), dataset(5), undefined)).toThrow(
      /with 1000 classes at most 1073741 in all/,
    );
  });

  it('refuses test images of another shape', () => {
    const test = dataset(5, { shape: { height: 28, width: 32, channels: 1 } });
    expect(() => checkDatasets(aSpec(), dataset(5), test)).toThrow(/28x28x1 and the test images 28x32x1/);
  });

  it('refuses test images of more classes than declared', () => {
    const test = dataset(5, { classNames: Array.from({ length: 11 }, (_, k) => `c${k}`) });
    expect(() => checkDatasets(aSpec(), dataset(5), test)).toThrow(/11 classes and classes is 10/);
  });

  it('refuses a network and a batch that no engine could hold', () => {
    const { student } = aSpec();
    const spec = aSpec({ student: { ...student, network: 'resnet32', recipe: { ...student.recipe, batch: 8192 } } });
    expect(() => checkDatasets(spec, dataset(5), undefined)).toThrow(/resnet32 at batch 8192 would need about \d+ MiB/);
  });

  it('refuses threads that leave batch normalisation too few images', () => {
    const { student } = aSpec();
    const spec = { student: { ...student, network: 'resnet20', recipe: { ...student.recipe, batch: 32 } } };
    expect(() => checkDatasets(aSpec({ ...spec, threads: 5 }), dataset(5), undefined)).toThrow(
      /threads is 5 and recipe\.batch is 32, .* set threads to 4 or fewer/,
    );
    expect(() => checkDatasets(aSpec({ ...spec, threads: 4 }), dataset(5), undefined)).not.toThrow();
  });

  it('refuses a topology for images of another shape', () => {
    const spec = aSpec({ student: { ...aSpec().student, network: 'mine', topology: topology(FLATTEN) } });
    const test = { shape: { height: 28, width: 27, channels: 1 } };
    expect(() => checkDatasets(spec, dataset(5, test), undefined)).toThrow(
      /images of 28x28x1 and the images are 28x27x1/,
    );
    expect(() => checkDatasets(spec, dataset(5), undefined)).not.toThrow();
  });

  it('refuses a convolutional CVAE for images that it can not halve', () => {
    const { synthesis } = aSpec();
    const spec = aSpec({ synthesis: { ...synthesis, cvae: { ...synthesis.cvae, architecture: 'convolutional' } } });
    expect(() => checkDatasets(spec, dataset(5), undefined)).toThrow(/multiples of 8, .* not 28x28x1/);
  });

  it('refuses images that are too large for the dense CVAE where it is needed, and only there', () => {
    const shape = { height: 128, width: 128, channels: 1 };
    const { synthesis } = aSpec();
    const needing = (dropBelow: number, architecture = 'auto') =>
      checkedSpec(
        aSpec({ synthesis: { ...synthesis, dropBelow, cvaeShare: 0, cvae: { ...synthesis.cvae, architecture } } }),
      );
    for (const architecture of ['auto', 'dense']) {
      expect(() => checkDatasets(needing(0.05, architecture), dataset(10, { shape }), undefined)).toThrow(
        /up to 12288 values, not 128x128x1: resize the images, or leave the CVAE out/,
      );
    }
    expect(() => checkDatasets(needing(0), dataset(10, { shape }), undefined)).not.toThrow();
  });

  it('refuses a network that does not exist', () => {
    const spec = aSpec({ student: { ...aSpec().student, network: 'lenet6' } });
    expect(() => checkDatasets(spec, dataset(5), undefined)).toThrow(/lenet5-half/);
  });
});

describe('checkTestLabels', () => {
  it('refuses a class that the student does not have', () => {
    expect(() => checkTestLabels(checkedSpec(aSpec()), Int32Array.of(-1, 0, 9))).not.toThrow();
    expect(() => checkTestLabels(checkedSpec(aSpec()), Int32Array.of(-1, 0, 10))).toThrow(
      /test image 2 has label 10 and classes is 10/,
    );
  });
});

describe('checkBudget', () => {
  it('refuses a budget below what has to be asked at least', () => {
    expect(() => checkBudget(aSpec({ budget: { images: 9 } }), 10)).toThrow(/budget.images is 9, but 10/);
    expect(() => checkBudget(aSpec({ budget: { images: 10 } }), 10)).not.toThrow();
    expect(() => checkBudget(aSpec(), 1e9)).not.toThrow();
  });
});
