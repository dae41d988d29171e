import { pixelsPerImage } from '@bbdistill/common';
import type { ImageBatch } from '@bbdistill/common';
import sharp from 'sharp';
import { encodeInput } from '../input.js';
import type { InputForm } from '../input.js';
import type { CanonicalRequests } from '../teacher.js';

export interface PictureForm {
  format: 'png' | 'jpeg';
  /** Of JPEG, 1..100. */
  quality: number;
}

/** Images in the size and colours that the teacher wants, as pixels. */
function fitted(form: InputForm, images: ImageBatch): ImageBatch {
  const { bytes, dims } = encodeInput({ ...form, layout: 'NHWC', datatype: 'UINT8' }, images);
  const [count, height, width, channels] = dims;
  return { count, shape: { height, width, channels }, pixels: bytes };
}

/** One picture file per image. */
export async function encodePictures(form: InputForm, picture: PictureForm, images: ImageBatch): Promise<Uint8Array[]> {
  const { count, shape, pixels } = fitted(form, images);
  const { height, width, channels } = shape;
  const size = pixelsPerImage(shape);
  return Promise.all(
    Array.from({ length: count }, async (_, image) => {
      const raw = pixels.subarray(image * size, (image + 1) * size);
      const source = sharp(raw, { raw: { width, height, channels: channels as 1 | 3 } });
      const grey = channels === 1 ? source.toColourspace('b-w') : source;
      const encoded =
        picture.format === 'png' ? grey.png() : grey.jpeg({ quality: picture.quality, chromaSubsampling: '4:4:4' });
      return encoded.toBuffer();
    }),
  );
}

/**
 * The pixels and the settings of the encoding, not the encoder's bytes: another version of the encoder writes the same
 * picture differently, and must not make anybody pay again.
 */
export function canonicalPictures(
  form: InputForm,
  picture: PictureForm,
  about: object,
  images: ImageBatch,
): CanonicalRequests {
  const { shape, pixels } = fitted(form, images);
  const encoding = picture.format === 'png' ? { format: 'png' } : picture;
  return {
    header: JSON.stringify({ picture: encoding, shape, ...about }),
    bytes: pixels,
    bytesPerImage: pixelsPerImage(shape),
  };
}
