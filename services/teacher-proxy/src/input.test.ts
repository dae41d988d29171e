import { describe, expect, it } from 'vitest';
import { encodeInput } from './input.js';
import type { InputForm } from './input.js';

const form: InputForm = { layout: 'NHWC', datatype: 'FP32', scale: 1 / 255, mean: [0], std: [1] };
const grey = { height: 1, width: 2, channels: 1 };
const rgb = { height: 1, width: 2, channels: 3 };

function values(change: Partial<InputForm>, pixels: number[], shape = grey) {
  const encoded = encodeInput({ ...form, ...change }, { count: 1, shape, pixels: Uint8Array.from(pixels) });
  const { bytes } = encoded;
  const data = change.datatype === 'UINT8' ? bytes : new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  return { ...encoded, values: Array.from(data, (value) => Number(value.toFixed(4))) };
}

describe('input', () => {
  it('scale - brings pixels to 0..1', () => {
    expect(values({}, [0, 255])).toMatchObject({ dims: [1, 1, 2, 1], bytesPerImage: 8, values: [0, 1] });
  });

  it('mean and std - are taken channel by channel', () => {
    const { values: found } = values({ scale: 1, mean: [1, 2, 3], std: [1, 2, 4] }, [1, 2, 3, 2, 4, 7], rgb);
    expect(found).toEqual([0, 0, 0, 1, 1, 1]);
  });

  it('NCHW - has the planes one after the other', () => {
    const found = values({ layout: 'NCHW', datatype: 'UINT8' }, [1, 2, 3, 4, 5, 6], rgb);
    expect(found).toMatchObject({ dims: [1, 3, 1, 2], values: [1, 4, 2, 5, 3, 6] });
  });

  it('channels - grey is repeated, RGB becomes its luma', () => {
    expect(values({ datatype: 'UINT8', channels: 3 }, [7, 9]).values).toEqual([7, 7, 7, 9, 9, 9]);
    expect(values({ datatype: 'UINT8', channels: 1 }, [255, 0, 0, 10, 10, 10], rgb).values).toEqual([76, 10]);
  });

  it('size - is interpolated', () => {
    const found = values({ datatype: 'UINT8', size: { height: 1, width: 4 } }, [0, 100]);
    expect(found).toMatchObject({ dims: [1, 1, 4, 1], values: [0, 25, 75, 100] });
  });

  it.each([
    ['too few bytes', {}, [1], grey, '2 bytes, but 1 were given'],
    ['a mean that fits no channel', { mean: [1, 2] }, [1, 2], grey, 'input.mean has 2 values'],
    ['four channels', { channels: 1 }, [1, 2, 3, 4], { height: 1, width: 1, channels: 4 }, 'only 1 and 3 convert'],
  ])('input - %s is refused', (_, change, pixels, shape, message) => {
    expect(() => values(change, pixels, shape)).toThrow(message);
  });
});
