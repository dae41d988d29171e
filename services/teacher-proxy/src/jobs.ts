import { decodeImages, encodeAnswers } from '@bbdistill/common';
import type { BlobStore, Clock, ImageBatch, JobHandler } from '@bbdistill/common';
import type { TeacherProxy } from './proxy.js';
import type { Labelled } from './session.js';
import { showStandstills } from './standstill.js';
import { budgetFromWire, checkLabelRequest, checkShard, countsToWire, phaseFromWire } from './wire.js';
import type { LabelRequest, LabelResult } from './wire.js';

/** Kind of the queued work; its request is a LabelRequest, its result a LabelResult, both as JSON. */
export const LABEL_JOB = 'label';

/** Labels one shard: images from the blob store, answers back into it. */
export function labelJobHandler(
  proxy: TeacherProxy,
  blobs: BlobStore,
  clock: Clock,
): JobHandler<LabelRequest, LabelResult> {
  return async (request, context) => {
    checkLabelRequest(request);
    const task = {
      run: request.runId,
      phase: phaseFromWire(request.phase),
      budget: budgetFromWire(request.budget),
      classes: request.classes,
      images: await readShard(blobs, request.images),
      // A job of an earlier version doesn't say.
      reask: request.reask ?? false,
    };
    const reason = () => proxy.whatCallsWaitFor(request.teacher);
    const labelled = await showStandstills({ clock, context, images: task.images.count, reason }, (onProgress) =>
      proxy.label(request.teacher, task, { signal: context.signal, onProgress }),
    );
    return storeAnswers(blobs, labelled);
  };
}

/** @throws InvalidArgumentError, BlobNotFoundError, DataLossError */
export async function readShard(blobs: BlobStore, shard: LabelRequest['images']): Promise<ImageBatch> {
  return decodeImages(await blobs.get(checkShard(shard)));
}

export async function storeAnswers(blobs: BlobStore, { answers, counts }: Labelled): Promise<LabelResult> {
  const blob = await blobs.put(encodeAnswers(answers));
  const unanswered = answers.answered.reduce((sum, flag) => sum + (1 - flag), 0);
  return {
    answers: { blob, images: answers.count, classes: answers.classes, unanswered },
    counts: countsToWire(counts),
  };
}
