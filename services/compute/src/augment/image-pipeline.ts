/** The numbers of one draw, in this order: λ, then where the first target pixel comes from and the steps there. */
export const NUMBERS_PER_DRAW = 7;

/** Places of a draw's numbers. A step down a column is `COLUMN_…` per target pixel, one down the rows `ROW_…`. */
export const LAMBDA = 0;
export const FROM_Y = 1;
export const FROM_X = 2;
export const COLUMN_Y = 3;
export const COLUMN_X = 4;
export const ROW_Y = 5;
export const ROW_X = 6;

/** Makes the images of a batch of their bytes inside an engine, as `BatchAugmenter` does outside. */
export interface ImagePipeline {
  /** uint8 [batch,H,W,C] */
  readonly first: Uint8Array;
  /** uint8 [batch,H,W,C], mixed into the first with 1 − λ; not read where nothing is mixed. */
  readonly second: Uint8Array;
  /** [batch, NUMBERS_PER_DRAW] */
  readonly draws: Float64Array;
  /** Writes the first `count` images, values 0..1: mixed, then moved (bilinear, nearest fill), as far as asked. */
  fill(count: number, mixes: boolean, warps: boolean): void;
}
