import { describe, expect, it } from 'vitest';
import { accuracy, argmaxRows, confusionMatrix, expectedCalibrationError, macroF1 } from './classification.js';

describe('metrics - argmax', () => {
  it('names the first of equals', () => {
    expect([...argmaxRows(Float32Array.of(0.2, 0.5, 0.3, 0.4, 0.2, 0.4), 3)]).toEqual([1, 0]);
  });
});

describe('metrics - accuracy', () => {
  it('leaves images of unknown class out', () => {
    expect(accuracy(Int32Array.of(0, 1, 2, 1), Int32Array.of(0, 2, 2, -1))).toBeCloseTo(2 / 3);
  });

  it('is undefined where no class is known', () => {
    expect(accuracy(Int32Array.of(0), Int32Array.of(-1))).toBeUndefined();
  });
});

describe('metrics - confusion and macro-F1', () => {
  const truth = Int32Array.of(0, 0, 0, 1, 1, 2, -1);
  const predicted = Int32Array.of(0, 0, 1, 1, 1, 0, 2);

  it('counts true classes in rows', () => {
    expect(confusionMatrix(predicted, truth, 3)).toEqual(Int32Array.of(2, 1, 0, 0, 2, 0, 1, 0, 0));
  });

  it('averages the F1 scores by hand: 2/3, 4/5 and 0', () => {
    expect(macroF1(confusionMatrix(predicted, truth, 3), 3)).toBeCloseTo((2 / 3 + 4 / 5 + 0) / 3);
  });

  it('leaves a class out that neither occurs nor is predicted', () => {
    expect(macroF1(Int32Array.of(3, 0, 0, 0), 2)).toBe(1);
  });

  it('is undefined for an empty matrix', () => {
    expect(macroF1(new Int32Array(4), 2)).toBeUndefined();
  });
});

describe('metrics - expected calibration error', () => {
  it('weighs the gaps of the bins by their images', () => {
    // Two bins: (0.5, 1] holds .9 right, .8 right, .7 wrong; confidence .8, accuracy 2/3.
    const probabilities = Float32Array.of(0.9, 0.1, 0.2, 0.8, 0.7, 0.3);
    expect(expectedCalibrationError(probabilities, Int32Array.of(0, 1, 1), 2, 2)).toBeCloseTo(0.8 - 2 / 3);
  });

  it('does not let gaps of different bins cancel out', () => {
    // .95 wrong and .55 right: gaps .95 and .45 in different bins.
    const probabilities = Float32Array.of(0.95, 0.05, 0.55, 0.45);
    expect(expectedCalibrationError(probabilities, Int32Array.of(1, 0), 2)).toBeCloseTo((0.95 + 0.45) / 2);
  });

  it('is 0 for one that is sure and right, and undefined where nothing is known', () => {
    expect(expectedCalibrationError(Float32Array.of(0, 1), Int32Array.of(1), 2)).toBe(0);
    expect(expectedCalibrationError(Float32Array.of(0, 1), Int32Array.of(-1), 2)).toBeUndefined();
  });
});
