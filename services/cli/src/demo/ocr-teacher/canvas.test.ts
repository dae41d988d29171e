import { describe, expect, it } from 'vitest';
import { CANVAS_HEIGHT, CANVAS_WIDTH, drawOnCanvas } from './canvas.js';

function drawn(image: Float32Array, height = 28, width = 28): Float32Array {
  const canvas = new Float32Array(CANVAS_HEIGHT * CANVAS_WIDTH);
  drawOnCanvas(image, height, width, canvas);
  return canvas;
}

/** Smallest box of what isn't paper: top, bottom, left, right. */
function boxOf(canvas: Float32Array): number[] {
  const rows: number[] = [];
  const columns: number[] = [];
  canvas.forEach((value, at) => {
    if (value === 1) return;
    rows.push(Math.floor(at / CANVAS_WIDTH));
    columns.push(at % CANVAS_WIDTH);
  });
  return [Math.min(...rows), Math.max(...rows), Math.min(...columns), Math.max(...columns)];
}

describe('OCR teacher - canvas', () => {
  it('leaves an empty image as white paper', () => {
    expect(drawn(new Float32Array(784)).every((value) => value === 1)).toBe(true);
  });

  it('takes an image that is nearly black for paper', () => {
    expect(drawn(new Float32Array(784).fill(0.05)).every((value) => value === 1)).toBe(true);
  });

  it('crops to the strong pixels, also of a dim image', () => {
    const image = new Float32Array(784);
    for (let y = 4; y < 24; y++) image.set([0.2, 0.5, 0.5, 0.2], y * 28 + 12);
    expect(boxOf(drawn(image))).toEqual([4, 43, 2, 5]);
  });

  it('narrows a full image to the width of the canvas', () => {
    const canvas = drawn(new Float32Array(784).fill(1));
    expect(boxOf(canvas)).toEqual([4, 43, 0, 31]);
    expect(new Set(canvas)).toEqual(new Set([1, -1]));
  });

  it('fills the canvas with one pixel, wherever it is', () => {
    const image = new Float32Array(784);
    image[27 * 28 + 27] = 1;
    expect(boxOf(drawn(image))).toEqual([4, 43, 0, 31]);
  });

  it('draws a thin stroke 40 pixels high near the left edge, in its own proportions', () => {
    const image = new Float32Array(784);
    for (let y = 4; y < 24; y++) image.set([1, 1], y * 28 + 13);
    expect(boxOf(drawn(image))).toEqual([4, 43, 2, 5]);
  });

  it('blends neighbours linearly', () => {
    const image = new Float32Array([1, 0.9]);
    const canvas = drawn(image, 1, 2);
    const row = 24 * CANVAS_WIDTH;
    expect(canvas[row]).toBe(-1);
    expect(canvas[row + 31]).toBeCloseTo(1 - 2 * 0.9);
    expect(canvas[row + 15]! + canvas[row + 16]!).toBeCloseTo(2 * (1 - 2 * 0.95));
  });
});
