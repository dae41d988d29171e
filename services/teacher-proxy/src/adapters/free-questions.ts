import type { Clock } from '@bbdistill/common';
import { TEACHER_AUTH } from '../teacher.js';
import { HttpReply } from './http.js';
import type { Unanswered } from './http.js';
import type { TeacherHttp } from './teacher-http.js';
import { overloaded, unpaid } from './unpaid.js';

const HTTP_NOT_IMPLEMENTED = 501;
/** A server that starts, or whose gateway does, is waited for so long. */
const FAILS_FOR_MS = 5_000;
const A_WHILE_MS = 60_000;

/**
 * For how long a server counts as saying nothing that didn't answer: for ever where that is its answer; where it let us in
 * nowhere, as soon as it lets a call in, since then it isn't the secret that is wrong; where it fails on the question again
 * and again, for a while. The shortest first.
 */
const LASTING = ['a-while', 'once-let-in', 'for-ever'] as const;
type Lasting = (typeof LASTING)[number];

/** What came of a question that a server need not understand. */
export interface Asked {
  /** Absent: it doesn't say. */
  reply?: HttpReply;
  lasts: Lasting;
  /** Why it doesn't, for those who can't do without; absent where it simply hasn't got that. */
  failure?: Unanswered;
}

/** Questions over HTTP that a server need not understand, and what it means that it doesn't answer them. */
export class FreeQuestions {
  /** Since when a question has been failed on, by its address. */
  readonly #failingSinceMs = new Map<string, number>();

  constructor(
    private readonly http: TeacherHttp,
    private readonly clock: Clock,
  ) {}

  /** @returns a failure where the server is to be left alone for now: to ask it what costs would be in vain */
  async ask(url: string, signal: AbortSignal): Promise<Asked | Unanswered> {
    const reply = await this.http.ask(url, signal);
    if (!(reply instanceof HttpReply)) return reply;
    const failure = this.http.failure(reply);
    if (!failure || failure.kind === 'refused' || reply.status === HTTP_NOT_IMPLEMENTED) {
      this.#failingSinceMs.delete(url);
      if (!failure) return { reply, lasts: 'for-ever' };
      if (failure.kind !== 'refused') return { lasts: 'for-ever' };
      // Gateways that let only some paths through say 403 of the others, whatever the secret.
      return { lasts: failure.code === TEACHER_AUTH ? 'once-let-in' : 'for-ever', failure: unpaid(failure) };
    }
    const nowMs = this.clock.monotonicMs();
    const sinceMs = this.#failingSinceMs.get(url) ?? nowMs;
    this.#failingSinceMs.set(url, sinceMs);
    const busy = overloaded(failure);
    return nowMs - sinceMs < FAILS_FOR_MS ? busy : { lasts: 'a-while', failure: busy };
  }
}

/** What was found out by questions, until one of them is to be put again. */
export class Found<T extends object> {
  #value: T | undefined;
  #untilMs = -Infinity;
  /** Each holds as soon as the server lets a call with it in. */
  readonly #inDoubt = new WeakSet<T>();

  constructor(private readonly clock: Clock) {}

  get(): T | undefined {
    return this.clock.monotonicMs() < this.#untilMs ? this.#value : undefined;
  }

  /** @param answers that it was made up from: it lasts as long as the one that lasts the shortest */
  keep(value: T, answers: readonly Pick<Asked, 'lasts'>[]): T {
    const lasts = LASTING.find((each) => answers.some((answer) => answer.lasts === each)) ?? 'for-ever';
    if (lasts === 'once-let-in') this.#inDoubt.add(value);
    else this.#hold(value, lasts === 'a-while' ? this.clock.monotonicMs() + A_WHILE_MS : Infinity);
    return value;
  }

  /** A call with it was let in. */
  letIn(value: T): void {
    if (this.#inDoubt.has(value)) this.#hold(value, Infinity);
  }

  forget(): void {
    this.#value = undefined;
  }

  #hold(value: T, untilMs: number): void {
    this.#value = value;
    this.#untilMs = untilMs;
  }
}
