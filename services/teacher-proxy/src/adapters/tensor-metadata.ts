import type { ImageShape } from '@bbdistill/common';
import type { InputForm } from '../input.js';

/** The tensor of that name, or the only one. */
export function pick<T extends { name: string }>(tensors: readonly T[], name: string | undefined): T | undefined {
  if (name !== undefined) return tensors.find((tensor) => tensor.name === name);
  return tensors.length === 1 ? tensors[0] : undefined;
}

/** The shape of the images that a tensor of these sizes takes; undefined where it takes any, or isn't one of images. */
export function imageShapeOf(dims: readonly number[] | undefined, layout: InputForm['layout']): ImageShape | undefined {
  if (dims?.length !== 4) return undefined;
  const [height, width, channels] = layout === 'NHWC' ? dims.slice(1) : [dims[2], dims[3], dims[1]];
  const isSize = (size: unknown): size is number => typeof size === 'number' && size > 0;
  return isSize(height) && isSize(width) && isSize(channels) ? { height, width, channels } : undefined;
}
