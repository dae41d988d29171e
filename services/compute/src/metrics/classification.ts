/**
 * The class with the largest value of every row, the first of equals.
 * @param rows [N,K]
 */
export function argmaxRows(rows: Float32Array, classes: number): Int32Array {
  const result = new Int32Array(rows.length / classes);
  for (let n = 0; n < result.length; n++) {
    let best = 0;
    for (let k = 1; k < classes; k++) if (rows[n * classes + k]! > rows[n * classes + best]!) best = k;
    result[n] = best;
  }
  return result;
}

/**
 * The part of the known classes that were met; two columns of classes give their agreement.
 * @param truth class per image, -1 = not known, left out
 * @returns 0..1, undefined where nothing is known
 */
export function accuracy(predicted: Int32Array, truth: Int32Array): number | undefined {
  let known = 0;
  let met = 0;
  for (let n = 0; n < truth.length; n++) {
    if (truth[n]! < 0) continue;
    known++;
    if (truth[n] === predicted[n]) met++;
  }
  return known === 0 ? undefined : met / known;
}

/**
 * Row-major [K,K]: row = true class, column = predicted class.
 * @param truth class per image, -1 = not known, left out
 */
export function confusionMatrix(predicted: Int32Array, truth: Int32Array, classes: number): Int32Array {
  const counts = new Int32Array(classes * classes);
  for (let n = 0; n < truth.length; n++) {
    if (truth[n]! >= 0) counts[truth[n]! * classes + predicted[n]!]!++;
  }
  return counts;
}

/**
 * The mean of the classes' F1 scores, each class counting alike. A class that neither occurs nor is predicted has no
 * score and is left out.
 * @param confusion as `confusionMatrix` gives it
 * @returns 0..1, undefined where the matrix is empty
 */
export function macroF1(confusion: Int32Array, classes: number): number | undefined {
  let sum = 0;
  let scored = 0;
  for (let k = 0; k < classes; k++) {
    let occurs = 0;
    let predicted = 0;
    for (let other = 0; other < classes; other++) {
      occurs += confusion[k * classes + other]!;
      predicted += confusion[other * classes + k]!;
    }
    if (occurs + predicted === 0) continue;
    scored++;
    sum += (2 * confusion[k * classes + k]!) / (occurs + predicted);
  }
  return scored === 0 ? undefined : sum / scored;
}

export const CALIBRATION_BINS = 15;

/**
 * Expected calibration error: over equal bins of confidence, how far confidence and accuracy lie apart, weighted by the
 * images of the bin.
 * @param probabilities [N,K]
 * @param truth class per image, -1 = not known, left out
 * @returns 0..1, undefined where nothing is known
 */
export function expectedCalibrationError(
  probabilities: Float32Array,
  truth: Int32Array,
  classes: number,
  bins = CALIBRATION_BINS,
): number | undefined {
  const predicted = argmaxRows(probabilities, classes);
  const confidence = new Float64Array(bins);
  const met = new Float64Array(bins);
  let known = 0;
  for (let n = 0; n < truth.length; n++) {
    if (truth[n]! < 0) continue;
    known++;
    const sure = probabilities[n * classes + predicted[n]!]!;
    // Bins are open below and closed above, as in the usual definition.
    const bin = Math.min(bins - 1, Math.max(0, Math.ceil(sure * bins) - 1));
    confidence[bin]! += sure;
    if (predicted[n] === truth[n]) met[bin]! += 1;
  }
  if (known === 0) return undefined;
  let error = 0;
  for (let bin = 0; bin < bins; bin++) error += Math.abs(confidence[bin]! - met[bin]!);
  return error / known;
}
