import { implementService, jobMethods, jobToMessage } from '@bbdistill/common';
import type { ImageShape, JobClient, ServiceImplementation } from '@bbdistill/common';
import { NETWORK_NAMES, networkByName, parameterCount } from '@bbdistill/compute';
import { JOB_KINDS } from './jobs.js';
import { assertEvaluateRequest, assertExportRequest, assertTrainRequest } from './requests.js';

/** What the parameter counts of `Describe` are for: the paper's MNIST. */
const DESCRIBED_SHAPE: ImageShape = { height: 28, width: 28, channels: 1 };
const DESCRIBED_CLASSES = 10;

export interface TrainerServiceOptions {
  jobs: JobClient;
  /** One line of the engine in use. */
  engineDescription: string;
  version: string;
  jobsRunning: () => number;
}

/** StudentTrainerService: refuses what can't work before it is queued. */
export function trainerService(options: TrainerServiceOptions): ServiceImplementation {
  const { jobs, engineDescription, version, jobsRunning } = options;
  return implementService('bbdistill.v1.StudentTrainerService', {
    ...jobMethods(jobs, JOB_KINDS),
    async SubmitTrain(request) {
      assertTrainRequest(request);
      return jobToMessage(await jobs.submit('train', request));
    },
    async SubmitEvaluate(request) {
      assertEvaluateRequest(request);
      return jobToMessage(await jobs.submit('evaluate', request));
    },
    async SubmitExport(request) {
      assertExportRequest(request);
      return jobToMessage(await jobs.submit('export', request));
    },
    async Describe() {
      const networks = NETWORK_NAMES.map((name) => ({
        name,
        parameters: parameterCount(networkByName(name, DESCRIBED_SHAPE, DESCRIBED_CLASSES)),
      }));
      return { engine: engineDescription, version, networks, jobsRunning: jobsRunning() };
    },
  });
}
