import {
  InvalidArgumentError,
  MAX_IMAGES_PER_SHARD,
  describeShape,
  implementService,
  jobMethods,
  jobToMessage,
  pixelsPerImage,
} from '@bbdistill/common';
import type {
  BlobStore,
  CallContext,
  ImageBatch,
  JobClient,
  RequestReadOf,
  ResponseOf,
  ServiceImplementation,
} from '@bbdistill/common';
import { LABEL_JOB, readShard, storeAnswers } from './jobs.js';
import type { TeacherProxy } from './proxy.js';
import type { LabelTask } from './session.js';
import {
  budgetFromWire,
  checkClasses,
  checkLabelRequest,
  countsToWire,
  describedShape,
  descriptionToWire,
  phaseFromWire,
  shapeFromWire,
  usageLineToWire,
} from './wire.js';
import type { LabelRequest, LabelResult } from './wire.js';

const SERVICE = 'bbdistill.v1.TeacherService';
type LabelImagesRequest = RequestReadOf<typeof SERVICE, 'Label'>;
type LabelImagesResponse = ResponseOf<typeof SERVICE, 'Label'>;

/** The gRPC edge of the proxy; statuses come from the errors that the domain throws. */
export function teacherService(proxy: TeacherProxy, jobs: JobClient, blobs: BlobStore): ServiceImplementation {
  return implementService(SERVICE, {
    ...jobMethods(jobs, [LABEL_JOB]),

    Label: (requests, context) => labelStream(proxy, requests, context),

    async SubmitLabel(request) {
      checkLabelRequest(request);
      await proxy.registry.get(request.teacher);
      return jobToMessage(await jobs.submit<LabelRequest, LabelResult>(LABEL_JOB, request));
    },

    async DescribeTeacher({ teacher, shape }) {
      const described = await proxy.describe(teacher, describedShape(shape));
      // A local model that can't be loaded has no kind yet; `detail` says why.
      const kind = await proxy.answerKind(teacher).catch(() => described.config.answer.kind ?? '');
      return descriptionToWire(described, kind);
    },

    async ListTeachers() {
      return { names: await proxy.registry.names() };
    },

    async CountCached({ teacher, images }) {
      return proxy.countCached(
        teacher,
        (async function* () {
          for (const shard of images) yield await readShard(blobs, shard);
        })(),
      );
    },

    async Usage({ teacher, runId }) {
      const lines = await proxy.usage(teacher || undefined, runId || undefined);
      return { lines: lines.map(usageLineToWire) };
    },

    async LookUp({ teacher, images, classes }) {
      checkClasses(classes);
      return storeAnswers(blobs, await proxy.lookUp(teacher, await readShard(blobs, images), classes));
    },
  });
}

/** One message at a time: the next one is read when its answers are written, which holds back a fast sender. */
async function* labelStream(
  proxy: TeacherProxy,
  requests: AsyncIterable<LabelImagesRequest>,
  { signal }: CallContext,
): AsyncIterable<LabelImagesResponse> {
  let header: LabelImagesRequest | undefined;
  for await (const request of requests) {
    header ??= request;
    const task = taskOf(header, request.pixels);
    const { answers, counts } = await proxy.label(header.teacher, task, { signal });
    yield {
      targets: Array.from(answers.targets),
      answered: Array.from(answers.answered, Boolean),
      counts: countsToWire(counts),
    };
  }
}

function taskOf(header: LabelImagesRequest, pixels: Uint8Array): LabelTask {
  if (!header.runId) throw new InvalidArgumentError('the first message needs a runId');
  checkClasses(header.classes);
  const shape = shapeFromWire(header.shape);
  const size = pixelsPerImage(shape);
  const count = pixels.length / size;
  if (!Number.isInteger(count) || count < 1 || count > MAX_IMAGES_PER_SHARD) {
    throw new InvalidArgumentError(
      `${pixels.length} bytes are not 1 to ${MAX_IMAGES_PER_SHARD} whole images of ${describeShape(shape)}`,
      { code: 'IMAGE_BYTES' },
    );
  }
  const images: ImageBatch = { count, shape, pixels };
  return {
    run: header.runId,
    phase: phaseFromWire(header.phase),
    budget: budgetFromWire(header.budget),
    classes: header.classes,
    images,
  };
}
