import sharp from 'sharp';
import type { ImageShape } from '@bbdistill/common';
import { ImageFileError, MAX_SIDE, checkShape } from './types.js';
import type { ReadImagesOptions } from './types.js';

/** Uncompressed 4096 x 4096 RGBA of 16 bits, with room. */
export const MAX_PICTURE_FILE_BYTES = 160 * 1024 * 1024;

export interface Picture {
  shape: ImageShape;
  pixels: Uint8Array;
  /** What was changed, e.g. `16 bits a channel were reduced to 8`. */
  changes: string[];
}

/** Only what begins as PNG or JPEG is handed to the decoder, which knows many more formats than we want to trust. */
export function isPicture(bytes: Uint8Array): boolean {
  const png = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a].every((byte, i) => bytes[i] === byte);
  return png || (bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff);
}

/**
 * One PNG or JPEG as uint8 grey or RGB, turned upright by its EXIF orientation. 16-bit channels are reduced to their
 * upper 8 bits; colour profiles are converted to sRGB.
 * @throws ImageFileError
 */
export async function decodePicture(
  file: string,
  bytes: Uint8Array,
  options: Pick<ReadImagesOptions, 'alpha' | 'resize' | 'signal'> = {},
): Promise<Picture> {
  options.signal?.throwIfAborted();
  if (!isPicture(bytes)) {
    throw new ImageFileError(file, 'is neither a PNG nor a JPEG', { code: 'IMAGE_MAGIC' });
  }
  const image = () => sharp(bytes, { failOn: 'error', limitInputPixels: MAX_SIDE * MAX_SIDE, sequentialRead: true });
  const changes: string[] = [];
  try {
    const found = await image().metadata();
    checkShape(file, { height: found.height, width: found.width, channels: 1 });
    const grey = found.space === 'b-w' || found.space === 'grey16';
    if (found.depth === 'ushort') changes.push('16 bits a channel were reduced to 8');

    let pipeline = image().autoOrient();
    if (found.hasAlpha) {
      const { isOpaque } = await image().stats();
      if (isOpaque) {
        pipeline = pipeline.removeAlpha();
      } else if (options.alpha === 'white' || options.alpha === 'black') {
        pipeline = pipeline.flatten({ background: options.alpha });
        changes.push(`translucent pixels were laid on ${options.alpha}`);
      } else {
        throw new ImageFileError(
          file,
          'has translucent pixels; say what lies behind them with alpha: white or alpha: black',
          { code: 'IMAGE_ALPHA' },
        );
      }
    }
    if (options.resize) pipeline = pipeline.resize({ ...options.resize, fit: 'fill', kernel: 'lanczos3' });
    const { data, info } = await pipeline.toColourspace('srgb').raw({ depth: 'uchar' }).toBuffer({
      resolveWithObject: true,
    });
    const count = info.width * info.height;
    const channels = grey ? 1 : 3;
    const pixels = new Uint8Array(count * channels);
    // A grey source decodes to equal colours, so the first channel is the grey value unchanged.
    for (let p = 0; p < count; p++)
      for (let c = 0; c < channels; c++) pixels[p * channels + c] = data[p * info.channels + c]!;
    return { shape: { height: info.height, width: info.width, channels }, pixels, changes };
  } catch (cause) {
    if (cause instanceof ImageFileError) throw cause;
    const said = cause instanceof Error ? cause.message.split('\n')[0]! : String(cause);
    if (/pixel limit/i.test(said)) {
      throw new ImageFileError(file, `more than ${MAX_SIDE} x ${MAX_SIDE} pixels`, { code: 'IMAGE_SIZE', cause });
    }
    throw new ImageFileError(file, `is truncated or damaged (${said})`, { code: 'IMAGE_DAMAGED', cause });
  }
}
