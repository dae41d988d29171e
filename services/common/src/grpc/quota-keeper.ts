import type { Clock } from '../clock.js';
import { BbdError } from '../errors.js';
import type { Caller, Quotas } from './auth.js';

const MINUTE_MS = 60_000;

interface Account {
  open: number;
  /** Calls that may start now; fills up with time, to a minute's worth at most. */
  credit: number;
  filledAtMs: number;
}

/** Counts what each caller asks for. One process's count: replicas don't share it. */
export class QuotaKeeper {
  readonly #accounts = new Map<string, Account>();

  constructor(
    private readonly defaults: Quotas,
    private readonly clock: Clock,
  ) {}

  /**
   * Lets a call start.
   * @returns to be called once, when the call has ended
   * @throws BbdError `resource-exhausted` with the time after which it is worth asking again
   */
  enter(caller: Caller): () => void {
    const { callsPerMinute, concurrentCalls } = { ...this.defaults, ...caller.quotas };
    if (callsPerMinute === undefined && concurrentCalls === undefined) return () => undefined;
    const account = this.#accountOf(caller.name, callsPerMinute);
    if (concurrentCalls !== undefined && account.open >= concurrentCalls) {
      throw refusal(`${caller.name} has ${account.open} calls open, which is its most: end one first`, 1_000);
    }
    if (callsPerMinute !== undefined) {
      if (account.credit < 1) {
        const waitMs = Math.ceil(((1 - account.credit) * MINUTE_MS) / callsPerMinute);
        throw refusal(`${caller.name} makes more than ${callsPerMinute} calls a minute: wait ${waitMs} ms`, waitMs);
      }
      account.credit--;
    }
    account.open++;
    let left = false;
    return () => {
      if (left) return;
      left = true;
      account.open--;
    };
  }

  #accountOf(name: string, callsPerMinute: number | undefined): Account {
    const nowMs = this.clock.monotonicMs();
    const most = callsPerMinute ?? 0;
    let account = this.#accounts.get(name);
    if (!account) {
      account = { open: 0, credit: most, filledAtMs: nowMs };
      this.#accounts.set(name, account);
    }
    account.credit = Math.min(most, account.credit + ((nowMs - account.filledAtMs) * most) / MINUTE_MS);
    account.filledAtMs = nowMs;
    return account;
  }
}

function refusal(message: string, retryAfterMs: number): BbdError {
  return new BbdError('resource-exhausted', message, { code: 'QUOTA_EXCEEDED', retryable: true, retryAfterMs });
}
