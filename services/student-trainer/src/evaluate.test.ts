import { describe, expect, it } from 'vitest';
import { evaluateStudent } from './evaluate.js';

/** Sure answers for the classes named. */
function oneHot(...classes: number[]): Float32Array {
  return Float32Array.from(classes.flatMap((k) => [0, 1, 2].map((other) => (other === k ? 1 : 0))));
}

describe('evaluation - figures', () => {
  const student = oneHot(0, 1, 2, 2);
  const teacher = { targets: oneHot(0, 1, 1, 0), answered: Uint8Array.of(1, 1, 1, 0) };

  it('compares with truth and teacher, unanswered images left out', () => {
    const found = evaluateStudent(student, 3, Int32Array.of(0, 1, 2, 1), teacher);
    expect(found).toMatchObject({ images: 4, accuracy: 0.75, teacherImages: 3, calibrationError: 0.25 });
    expect(found.agreement).toBeCloseTo(2 / 3);
    expect(found.teacherAccuracy).toBeCloseTo(2 / 3);
    expect(found.macroF1).toBeCloseTo((1 + 2 / 3 + 2 / 3) / 3);
    expect(found.confusion).toEqual(Int32Array.of(1, 0, 0, 0, 1, 1, 0, 0, 1));
  });

  it('without labels has the teacher in the rows of the confusion, and no accuracy', () => {
    const found = evaluateStudent(student, 3, undefined, teacher);
    expect(found.confusion).toEqual(Int32Array.of(1, 0, 0, 0, 1, 1, 0, 0, 0));
    expect(found).not.toHaveProperty('accuracy');
    expect(found).not.toHaveProperty('calibrationError');
  });

  it('with labels of which none is known is as without', () =>
    expect(evaluateStudent(student, 3, Int32Array.of(-1, -1, -1, -1), teacher)).toEqual(
      evaluateStudent(student, 3, undefined, teacher),
    ));

  it('without a teacher has no agreement', () => {
    const found = evaluateStudent(student, 3, Int32Array.of(0, 1, 2, 2), undefined);
    expect(found).toMatchObject({ accuracy: 1, macroF1: 1, teacherImages: 0 });
    expect(found).not.toHaveProperty('agreement');
  });
});

describe('evaluation - refusals', () => {
  it('of a label out of range, naming it', () => {
    expect(() => evaluateStudent(oneHot(0, 1), 3, Int32Array.of(0, 3), undefined)).toThrow(/label 1 is 3/);
  });

  it('of too few labels', () => {
    expect(() => evaluateStudent(oneHot(0, 1), 3, Int32Array.of(0), undefined)).toThrow(/1 labels for 2 images/);
  });

  it('of answers of another size', () => {
    const teacher = { targets: oneHot(0), answered: Uint8Array.of(1) };
    expect(() => evaluateStudent(oneHot(0, 1), 3, undefined, teacher)).toThrow(/are 3 numbers/);
  });
});
