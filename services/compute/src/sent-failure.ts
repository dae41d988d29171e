import { asBbdError, errorOfKind } from '@bbdistill/common/base';
import type { BbdError } from '@bbdistill/common/base';
import { NanLossError } from './engine.js';

/** An error as it goes from one thread to another: structured cloning drops what its class adds. */
export interface SentFailure {
  kind: BbdError['kind'];
  code: string;
  message: string;
  stack: string | undefined;
  /** Set where the loss isn't a number. */
  nan?: { network: string; step: number; loss: number; layer: string | undefined };
}

export function sendable(thrown: unknown): SentFailure {
  const { kind, code, message } = asBbdError(thrown);
  const stack = thrown instanceof Error ? thrown.stack : undefined;
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
