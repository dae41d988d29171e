import { patiently, pixelsPerImage, systemClock } from '@bbdistill/common';
import type { ImageBatch } from '@bbdistill/common';
import type { Dataset__Output } from '@bbdistill/common/gen/bbdistill/v1/Dataset.js';
import type { UploadImagesRequest } from '@bbdistill/common/gen/bbdistill/v1/UploadImagesRequest.js';
import type { Orchestrator } from './orchestrator.js';

/** Below the 3 MiB that the API takes. */
const PIECE_BYTES = 2 * 1024 * 1024;

export interface ImagesToUpload {
  images: ImageBatch;
  labels?: Int32Array;
  classNames?: readonly string[];
}

/** Sends images in pieces that gRPC takes; the same images are the same data set. */
export function uploadImages(
  orchestrator: Orchestrator,
  upload: ImagesToUpload,
  signal?: AbortSignal,
): Promise<Dataset__Output> {
  const cancellable = signal ? { signal } : {};
  const send = () => orchestrator.clientStream('UploadImages', piecesOf(upload), cancellable);
  return patiently(send, { clock: systemClock, ...cancellable });
}

async function* piecesOf({ images, labels, classNames }: ImagesToUpload): AsyncIterable<UploadImagesRequest> {
  const imageBytes = pixelsPerImage(images.shape);
  const perPiece = Math.max(1, Math.floor(PIECE_BYTES / imageBytes));
  yield { header: { shape: images.shape, classNames: [...(classNames ?? [])] } };
  for (let first = 0; first < images.count; first += perPiece) {
    const last = Math.min(images.count, first + perPiece);
    yield {
      pixels: Buffer.from(images.pixels.subarray(first * imageBytes, last * imageBytes)),
      labels: labels ? Array.from(labels.subarray(first, last)) : [],
    };
  }
}
