import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CancelledError, InvalidArgumentError, sha256Hex } from '@bbdistill/common';
import { DEFAULT_ADAM, createEngine } from '@bbdistill/compute';
import { trainerTasksInThisThread } from '@bbdistill/student-trainer';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../../../test/helpers/temporary-folder.js';
import { tinyImages } from '../../../../test/helpers/tiny-images.js';
import { openOnnxClassifier } from './onnx-classifier.js';
import { trainTeacher, writeTeacher } from './train-teacher.js';
import type { TrainTeacherOptions } from './train-teacher.js';

const train = tinyImages(384, 3, 1);
const test = tinyImages(60, 3, 2);

function options(overrides: Partial<TrainTeacherOptions> = {}): TrainTeacherOptions {
  return {
    images: train,
    labels: train.labels,
    testImages: test,
    testLabels: test.labels,
    classes: 3,
    network: 'lenet5-half',
    flip: false,
    epochs: 8,
    seed: 1,
    engine: 'wasm',
    signal: new AbortController().signal,
    tasks: trainerTasksInThisThread,
    ...overrides,
  };
}

const about = { dataset: 'bands', classNames: ['left', 'middle', 'right'], version: '0.0.0' };

describe('teacher training', () => {
  it('learns from true labels, the same from the same seed', async () => {
    const steps: number[] = [];
    const first = await trainTeacher(options({ onProgress: ({ step }) => steps.push(step) }));
    expect(first.testAccuracy).toBeGreaterThan(0.9);
    expect(first).toMatchObject({ steps: 24, epochs: 8, trainingImages: 384, testImages: 60 });
    expect(steps.at(-1)).toBe(24);
    expect((await trainTeacher(options())).weights).toEqual(first.weights);
    expect((await trainTeacher(options({ seed: 2 }))).weights).not.toEqual(first.weights);
  });

  it('writes a model that answers as the engine does, and what is known of it', async () => {
    await using folder = await temporaryFolder();
    const teacher = await trainTeacher(options());
    const out = join(folder.path, 'a', 'teacher');
    const facts = await writeTeacher(out, teacher, about);
    const written = await readFile(join(out, 'teacher.onnx'));
    expect(JSON.parse(await readFile(join(out, 'teacher.json'), 'utf8'))).toEqual(facts);
    expect(facts).toMatchObject({ dataset: 'bands', seed: 1, classes: 3, sha256: sha256Hex(written) });

    const engine = await createEngine('wasm', 'never');
    const loss = { balance: 0, temperature: 1 };
    const classifier = engine.createClassifier({
      network: teacher.network,
      batch: 1,
      seed: 0,
      loss,
      optimiser: DEFAULT_ADAM,
    });
    classifier.setWeights(teacher.weights);
    const expected = classifier.predict(test.pixels, test.count);
    classifier.dispose();
    const served = await openOnnxClassifier(join(out, 'teacher.onnx'));
    try {
      expect(served).toMatchObject({
        name: 'teacher',
        input: { name: 'images', dims: [12, 12, 1], datatype: 'FP32' },
        output: { name: 'probabilities', classes: 3 },
      });
      const answers = await served.classify(
        Float32Array.from(test.pixels, (pixel) => pixel / 255),
        test.count,
      );
      answers.forEach((value, at) => expect(Math.abs(value - expected[at]!)).toBeLessThan(1e-5));
    } finally {
      await served.close();
    }
  });

  it.each([
    ['too few labels', { labels: train.labels.subarray(1) }, 'labels has 383 labels for 384 images'],
    ['a label out of range', { classes: 2 }, 'labels[2] is 2: classes are 0 to 1'],
    ['an unknown label of a test image', { testLabels: new Int32Array(60).fill(-1) }, 'testLabels[0] is -1'],
    ['an unknown network', { network: 'lenet6' }, "there is no network 'lenet6'"],
  ])('refuses %s', async (_what, overrides, message) => {
    const attempt = trainTeacher(options(overrides));
    await expect(attempt).rejects.toThrow(InvalidArgumentError);
    await expect(attempt).rejects.toThrow(message);
  });

  it('stops when asked to', async () => {
    const stop = new AbortController();
    const attempt = trainTeacher(options({ epochs: 1000, signal: stop.signal, onProgress: () => stop.abort() }));
    await expect(attempt).rejects.toThrow(CancelledError);
  });

  it('names the folder that it cannot write to', async () => {
    await using folder = await temporaryFolder();
    const file = join(folder.path, 'file');
    await writeFile(file, '');
    const teacher = await trainTeacher(options({ epochs: 1 }));
    await expect(writeTeacher(file, teacher, about)).rejects.toThrow(`cannot write to ${file}`);
  });
});
