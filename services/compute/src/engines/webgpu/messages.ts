import type { MessagePort } from 'node:worker_threads';
import { asBbdError, errorOfKind } from '@bbdistill/common/base';
import type { BbdError } from '@bbdistill/common/base';
import { NanLossError } from '../../engine.js';
import type { ClassifierOptions, CvaeOptions } from '../../engine.js';
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

export interface SentFailure {
  kind: BbdError['kind'];
  code: string;
  message: string;
  stack: string | undefined;
  /** Set where the loss isn't a number. */
  nan?: { network: string; step: number; loss: number; layer: string | undefined };
}

export function sendable(thrown: unknown): SentFailure {
  const { kind, code, message, stack } = asBbdError(thrown);
  if (!(thrown instanceof NanLossError)) return { kind, code, message, stack };
  const { network, step, loss, layer } = thrown;
  return { kind, code, message, stack, nan: { network, step, loss, layer } };
}

export function received({ kind, code, message, stack, nan }: SentFailure): BbdError {
  const error = nan
    ? new NanLossError(nan.network, nan.step, nan.loss, nan.layer)
    : errorOfKind(kind, message, { code });
  if (stack !== undefined) error.stack = stack;
  return error;
}
