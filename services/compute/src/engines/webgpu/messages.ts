import type { MessagePort } from 'node:worker_threads';
import type { ClassifierOptions, CvaeOptions } from '../../engine.js';
import type { SentFailure } from '../../sent-failure.js';
import type { WebgpuPackages } from './packages.js';

/** What the device's thread is started with. */
export interface DeviceThreadData {
  packages: WebgpuPackages;
  port: MessagePort;
  /** Counts the answers, for a caller that is blocked until the next one. */
  answers: SharedArrayBuffer;
}

export interface AdapterFacts {
  /** As the driver calls it. */
  name: string;
  /** Computes on the processor. */
  isSoftware: boolean;
  /** Of TensorFlow.js. */
  version: string;
}

export type DeviceRequest =
  | { kind: 'create-classifier'; options: ClassifierOptions }
  | { kind: 'create-cvae'; options: CvaeOptions }
  | { kind: 'call'; id: number; method: string; args: readonly unknown[] };

/** A network on the device. */
export interface CreatedNetwork {
  id: number;
  /** What the caller fills before a step, in shared memory. */
  buffers: Readonly<Record<string, Float32Array>>;
}

/** The first one is of the start and has AdapterFacts. */
export type DeviceAnswer = { result: unknown } | { failure: SentFailure };
