import { asBbdError, redactSecrets } from '@bbdistill/common';
import type { Clock } from '@bbdistill/common';
import type { TeacherConfig } from '../registry.js';
import type { ImageAnswer, QueryOutcome } from '../teacher.js';
import { authHeader, authenticatedUrl } from './declared.js';
import type { Environment } from './declared.js';
import { describeStatus, failureOf } from './http-failures.js';
import { HttpReply, exchange } from './http.js';
import type { Unanswered } from './http.js';
import { limitHints } from './limit-headers.js';
import { unreadable } from './rows.js';
import { TlsConnections } from './teacher-tls.js';
import { unpaid } from './unpaid.js';

const MIB = 1024 * 1024;
/** Beside the answers themselves. */
const REPLY_BASE_BYTES = 4 * MIB;
/** A row of 20 000 classes in JSON fits in. */
const REPLY_BYTES_PER_IMAGE = MIB / 2;
const MAX_REPLY_BYTES = 64 * MIB;

/** The HTTP side of a teacher: authenticates, bounds what comes back, and keeps the secret out of every message. */
export class TeacherHttp {
  readonly #connections: TlsConnections | undefined;

  /** @throws ConfigError where a TLS file can't be read or used */
  constructor(
    private readonly config: TeacherConfig,
    private readonly env: Environment,
    private readonly clock: Clock,
  ) {
    this.#connections = config.tls && new TlsConnections(config.tls, clock);
  }

  /**
   * One call that may be billed.
   * @param images how many answers are awaited
   * @throws ConfigError where the secret isn't there
   */
  async send(
    request: { method: string; url: string; headers: Record<string, string>; body: Uint8Array; signal: AbortSignal },
    images: number,
  ): Promise<HttpReply | Unanswered> {
    const maxReplyBytes = Math.min(MAX_REPLY_BYTES, REPLY_BASE_BYTES + images * REPLY_BYTES_PER_IMAGE);
    return this.#exchange({ ...request, maxReplyBytes });
  }

  /** A question that costs nothing: an answer that is lost is as good as a server that can't be reached. */
  async ask(url: string, signal: AbortSignal): Promise<HttpReply | Unanswered> {
    const reply = await this.#exchange({ method: 'GET', url, headers: {}, signal, maxReplyBytes: REPLY_BASE_BYTES });
    return reply instanceof HttpReply ? reply : unpaid(reply);
  }

  /**
   * What the reply comes to.
   * @param read an answer per image; what it throws makes all of them unreadable
   */
  outcome(reply: HttpReply | Unanswered, images: number, read: (reply: HttpReply) => ImageAnswer[]): QueryOutcome {
    if (!(reply instanceof HttpReply)) return reply;
    const failure = this.failure(reply);
    if (failure) return failure;
    const limits = limitHints(reply.headers, this.clock.nowMs());
    try {
      return { kind: 'answered', answers: read(reply), limits };
    } catch (cause) {
      const type = reply.headers.get('content-type') ?? 'no content-type';
      const message = this.redact(`the answer (${type}) can't be read: ${asBbdError(cause).message}`);
      return { kind: 'answered', answers: unreadable(images, message), limits };
    }
  }

  failure(reply: HttpReply): Unanswered | undefined {
    const failure = failureOf(reply, this.clock);
    return failure && { ...failure, message: this.redact(failure.message) };
  }

  describeStatus(reply: HttpReply): string {
    return this.redact(describeStatus(reply));
  }

  /** The text without the secret, which a server may have sent back. */
  redact(text: string): string {
    return redactSecrets(text);
  }

  async close(): Promise<void> {
    await this.#connections?.close();
  }

  async #exchange(request: Omit<Parameters<typeof exchange>[0], 'method'> & { method: string }) {
    const auth = authHeader(this.config.auth, this.env);
    const headers = { ...request.headers, ...(auth && { [auth[0]]: auth[1] }) };
    const url = authenticatedUrl(request.url, this.config.auth, this.env);
    const reply = await exchange({ ...request, url, headers, agent: this.#connections?.agent });
    return reply instanceof HttpReply ? reply : { ...reply, message: this.redact(reply.message) };
  }
}
