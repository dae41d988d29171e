import type { MessagePort } from 'node:worker_threads';
import type { TrainingWorkerData } from './shared-training.js';

/** What the thread that watches a training's followers is started with. */
export interface TrainingWatchData {
  /** URL of what a follower runs. */
  script: string;
  followers: TrainingWorkerData[];
  /** Gets a LostFollower for each that ends, before the others are told to stop waiting. */
  port: MessagePort;
}

export interface LostFollower {
  thread: number;
  reason: string;
}
