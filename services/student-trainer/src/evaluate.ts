import { InvalidArgumentError } from '@bbdistill/common/base';
import { accuracy, argmaxRows, confusionMatrix, expectedCalibrationError, macroF1 } from '@bbdistill/compute';

/** What the teacher said of the test images, as far as it was asked. */
export interface TeacherAnswers {
  /** [N,K] */
  targets: Float32Array;
  /** [N], 1 = answered */
  answered: Uint8Array;
}

export interface Evaluation {
  images: number;
  accuracy?: number;
  macroF1?: number;
  /** Part of the answered images on which student and teacher name the same class. */
  agreement?: number;
  /** Of the teacher's answers against the true labels. */
  teacherAccuracy?: number;
  teacherImages: number;
  /** Expected calibration error against the true labels. */
  calibrationError?: number;
  /** Row-major [K,K]: row = true class, or the teacher's where there are no labels; column = student's. */
  confusion: Int32Array;
}

/**
 * Compares a student with the truth and with its teacher, as far as either is known.
 * @param probabilities the student's [N,K]
 * @param labels true class per image, -1 = not known
 * @throws InvalidArgumentError where labels or answers don't fit the images
 */
export function evaluateStudent(
  probabilities: Float32Array,
  classes: number,
  labels: Int32Array | undefined,
  teacher: TeacherAnswers | undefined,
): Evaluation {
  const predicted = argmaxRows(probabilities, classes);
  if (labels) assertLabels(labels, predicted.length, classes);
  if (teacher && teacher.targets.length !== probabilities.length) {
    throw new InvalidArgumentError(
      `the teacher's answers are ${teacher.targets.length} numbers, the student's ${probabilities.length}: ` +
        'both must be images × classes',
    );
  }
  const named = teacher && classesNamed(teacher, classes);
  const truth = labels?.some((label) => label >= 0) ? labels : undefined;
  const confusion = confusionMatrix(predicted, truth ?? named ?? new Int32Array(0), classes);
  return defined({
    images: predicted.length,
    accuracy: truth && accuracy(predicted, truth),
    macroF1: truth && macroF1(confusion, classes),
    agreement: named && accuracy(predicted, named),
    teacherAccuracy: truth && named && accuracy(named, knownOf(truth, named)),
    teacherImages: named ? named.filter((k) => k >= 0).length : 0,
    calibrationError: truth && expectedCalibrationError(probabilities, truth, classes),
    confusion,
  });
}

/** The teacher's class per image, -1 where it did not answer. */
function classesNamed(teacher: TeacherAnswers, classes: number): Int32Array {
  return argmaxRows(teacher.targets, classes).map((k, n) => (teacher.answered[n] === 1 ? k : -1));
}

/** The labels of the images that the teacher answered. */
function knownOf(labels: Int32Array, named: Int32Array): Int32Array {
  return labels.map((label, n) => (named[n]! < 0 ? -1 : label));
}

function assertLabels(labels: Int32Array, images: number, classes: number): void {
  if (labels.length !== images) {
    throw new InvalidArgumentError(`there are ${labels.length} labels for ${images} images: give one for each`);
  }
  const wrong = labels.findIndex((label) => label < -1 || label >= classes);
  if (wrong >= 0) {
    throw new InvalidArgumentError(
      `label ${wrong} is ${labels[wrong]}: with ${classes} classes it must be in 0..${classes - 1}, or -1`,
      { code: 'LABEL_OUT_OF_RANGE' },
    );
  }
}

/** Without the figures that there was nothing to measure by. */
function defined(figures: { [F in keyof Evaluation]: Evaluation[F] | undefined }): Evaluation {
  return Object.fromEntries(
    Object.entries(figures).filter(([, value]) => value !== undefined),
  ) as unknown as Evaluation;
}
