import { encodedValues } from '../input.js';
import type { EncodedImages, InputForm } from '../input.js';

/** Each image of a tensor as nested lists, in the order of the axes. */
export function nestedImages(encoded: EncodedImages, { datatype }: InputForm): unknown[] {
  const values = encodedValues(encoded, datatype);
  const [, ...dims] = encoded.dims;
  let at = 0;
  const nest = (axis: number): unknown =>
    axis === dims.length ? values[at++] : Array.from({ length: dims[axis]! }, () => nest(axis + 1));
  return Array.from({ length: encoded.count }, () => nest(0));
}
