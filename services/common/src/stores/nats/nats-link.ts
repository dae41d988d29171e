import { readFile } from 'node:fs/promises';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import type { JetStreamClient, JetStreamManager, StoredMsg } from '@nats-io/jetstream';
import { connect, credsAuthenticator, headers, nkeyAuthenticator, nuid } from '@nats-io/transport-node';
import type { Msg, NatsConnection, NodeConnectionOptions, TlsOptions } from '@nats-io/transport-node';
import type { Clock } from '../../clock.js';
import { CancelledError, ConfigError, InvalidArgumentError, UnavailableError } from '../../errors.js';
import type { Logger } from '../../logger.js';
import { STORES_UNAVAILABLE } from '../stores.js';
import { FairTurns } from './fair-turns.js';
import { ConnectionRenewedError, isPassing, isWrongLastSequence, natsError } from './nats-errors.js';

/** How this process shows who it is. Secrets stay in files. */
export interface NatsCredentials {
  /** A `.creds` file: JWT and NKey seed. */
  credsFile?: string;
  /** A file with an NKey seed (`SU…`). */
  nkeySeedFile?: string;
  /** A file with a token. */
  tokenFile?: string;
  /** PEM files; `caFile` alone is TLS, with the other two mutual TLS. */
  tls?: { caFile?: string; certFile?: string; keyFile?: string };
}

export interface NatsLinkOptions {
  /** E.g. `nats://nats:4222`; more than one for a cluster. */
  servers: readonly string[];
  credentials?: NatsCredentials;
  clock: Clock;
  logger: Logger;
  /** How long an operation waits for a server that is away before it fails as unavailable. */
  patienceMs: number;
}

export interface PublishOptions {
  headers?: Readonly<Record<string, string>>;
  /** The publish is refused unless the subject's last message is the expected one. */
  expect?: Expectation;
  /** After its abort a publish that was not answered yet is not sent again. */
  signal?: AbortSignal;
}

export interface Expectation {
  /** The stream that has the subject. */
  stream: string;
  /** 0 for a subject without messages. */
  lastSubjectSequence: number;
}

/** After which an unanswered request is sent again. */
const MAX_ATTEMPT_MS = 4_000;
const RECONNECT_WAIT_MS = 250;
const RECONNECT_JITTER_MS = 100;
/** Tells a connection that hangs (split network) from one that is idle, within ten seconds. */
const PING_INTERVAL_MS = 4_000;
const MAX_PINGS_OUT = 2;
const FIRST_RETRY_MS = 20;
const MAX_RETRY_MS = 1_000;
const MESSAGE_ID_HEADER = 'Nats-Msg-Id';
/** Room that headers and protocol take beside the payload. */
const HEADER_BYTES = 4_096;

/** One connection to NATS for all stores: it reconnects for ever, and requests outlive the server's absence. */
export class NatsLink {
  readonly #renewals = new Set<() => void>();
  readonly #closing = new AbortController();
  /** Of everything that comes from NATS. */
  readonly turns = new FairTurns();
  #connected = true;

  private constructor(
    readonly nc: NatsConnection,
    readonly js: JetStreamClient,
    readonly jsm: JetStreamManager,
    private readonly options: NatsLinkOptions,
  ) {
    void this.#followStatus();
  }

  /**
   * @throws UnavailableError where no server answers within the patience
   * @throws ConfigError where the credentials can't be read
   * @throws BbdError `unauthenticated` where the server refuses the credentials
   */
  static async open(options: NatsLinkOptions): Promise<NatsLink> {
    const connection: NodeConnectionOptions = {
      servers: [...options.servers],
      name: 'bbdistill',
      maxReconnectAttempts: -1,
      reconnectTimeWait: RECONNECT_WAIT_MS,
      reconnectJitter: RECONNECT_JITTER_MS,
      pingInterval: PING_INTERVAL_MS,
      maxPingOut: MAX_PINGS_OUT,
      ignoreAuthErrorAbort: true,
      // Our own errors say what was asked for; a stack for every request would take a tenth of a busy service's time.
      noAsyncTraces: true,
      ...(await authentication(options.credentials ?? {})),
    };
    const nc = await retrying(options, 'connect', () => connect(connection));
    const timeout = attemptTimeoutMs(options);
    const js = jetstream(nc, { timeout });
    const jsm = await jetstreamManager(nc, { checkAPI: false, timeout });
    return new NatsLink(nc, js, jsm, options);
  }

  get clock(): Clock {
    return this.options.clock;
  }

  get logger(): Logger {
    return this.options.logger;
  }

  get isConnected(): boolean {
    return this.#connected && !this.isClosed;
  }

  get isClosed(): boolean {
    return this.#closing.signal.aborted || this.nc.isClosed();
  }

  /** Aborts when `close` is called: loops end. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  /** Calls back after every reconnect. @returns what takes the callback away again */
  onRenewed(callback: () => void): () => void {
    this.#renewals.add(callback);
    return () => this.#renewals.delete(callback);
  }

  /**
   * Repeats a request that may be carried out twice without harm until it is answered.
   * @param what names it in errors: "store a record"
   */
  async retrying<T>(what: string, request: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const answer = await retrying(
      this.options,
      what,
      () => {
        if (signal?.aborted) throw new CancelledError(`stopped before NATS could ${what}`);
        return this.#unlessRenewed(request);
      },
      () => this.isClosed,
    );
    const turn = this.turns.pass();
    if (turn) await turn;
    return answer;
  }

  /**
   * Stores a message once, however often it has to be sent.
   * @returns its sequence
   * @throws BbdError whose cause `isWrongLastSequence` knows, where the expectation isn't met
   */
  async publish(what: string, subject: string, data: Uint8Array, options: PublishOptions = {}): Promise<number> {
    const maxBytes = (this.nc.info?.max_payload ?? Infinity) - HEADER_BYTES;
    if (data.length > maxBytes) {
      throw new InvalidArgumentError(
        `${data.length} bytes are too many to ${what}: NATS takes ${maxBytes}, put the bytes into the blob store`,
      );
    }
    const { expect } = options;
    const msgID = nuid.next();
    let sent = 0;
    const send = async () => {
      const all = headers();
      for (const [name, value] of Object.entries(options.headers ?? {})) all.set(name, value);
      sent++;
      try {
        const expectation = expect ? { expect: { lastSubjectSequence: expect.lastSubjectSequence } } : {};
        return (await this.js.publish(subject, data, { msgID, headers: all, ...expectation })).seq;
      } catch (thrown) {
        if (sent === 1 || !expect || !isWrongLastSequence(thrown)) throw thrown;
        // NATS looks at the sequence before it looks for a repeat: what stands in the way may be our own first sending.
        const query = { next_by_subj: subject, seq: expect.lastSubjectSequence + 1 };
        const found = await this.jsm.streams.getMessage(expect.stream, query);
        if (found?.header.get(MESSAGE_ID_HEADER) !== msgID) throw thrown;
        return found.seq;
      }
    };
    return this.retrying(what, send, options.signal);
  }

  /** The subject's last message, as the stream's leader has it. */
  async last(stream: string, subject: string): Promise<StoredMsg | null> {
    return this.retrying(`read ${subject}`, () => this.jsm.streams.getMessage(stream, { last_by_subj: subject }));
  }

  /** Of the stream's newest message; 0 where there was none yet. */
  async lastSequence(stream: string): Promise<number> {
    const info = await this.retrying(`look at ${stream}`, () => this.jsm.streams.info(stream));
    return info.state.last_seq;
  }

  /** The subject's first message from a sequence on. */
  async next(stream: string, subject: string, sequence: number): Promise<StoredMsg | null> {
    const query = { next_by_subj: subject, seq: sequence };
    return this.retrying(`read ${subject}`, () => this.jsm.streams.getMessage(stream, query));
  }

  /** How many messages the subjects hold, by subject. */
  async counts(stream: string, filter: string): Promise<Map<string, number>> {
    const info = await this.retrying(`count ${filter}`, () =>
      this.jsm.streams.info(stream, { subjects_filter: filter }),
    );
    return new Map(Object.entries(info.state.subjects ?? {}));
  }

  /** Deletes a subject's messages, those up to a sequence where one is given. */
  async purge(stream: string, filter: string, upToSequence?: number): Promise<void> {
    await this.retrying(`delete ${filter}`, () =>
      this.jsm.streams.purge(stream, { filter, ...(upToSequence === undefined ? {} : { seq: upToSequence + 1 }) }),
    );
  }

  /** One request and its answer, without repeats. */
  async request(subject: string, data: string): Promise<Msg> {
    // A fetched message comes under its own subject, by which a shared inbox can't tell whose answer it is.
    const options = { timeout: attemptTimeoutMs(this.options), noMux: true };
    return this.#unlessRenewed(() => this.nc.request(subject, data, options));
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.nc.close();
  }

  /** An answer that the lost connection should have brought never comes: no reason to wait for its timeout. */
  async #unlessRenewed<T>(request: () => Promise<T>): Promise<T> {
    let stopListening = (): void => undefined;
    const renewed = new Promise<never>((_, reject) => {
      stopListening = this.onRenewed(() => reject(new ConnectionRenewedError()));
    });
    const answer = request();
    answer.catch(() => undefined);
    try {
      return await Promise.race([answer, renewed]);
    } finally {
      stopListening();
    }
  }

  async #followStatus(): Promise<void> {
    for await (const status of this.nc.status()) {
      if (status.type === 'disconnect') {
        this.#connected = false;
        this.logger.warn({ server: status.server }, 'lost the connection to NATS');
      }
      if (status.type === 'error') this.logger.warn({ err: status.error }, 'NATS reports an error');
      if (status.type === 'reconnect') {
        this.#connected = true;
        this.logger.info({ server: status.server }, 'connected to NATS again');
        for (const callback of [...this.#renewals]) callback();
      }
    }
  }
}

function attemptTimeoutMs({ patienceMs }: NatsLinkOptions): number {
  return Math.min(MAX_ATTEMPT_MS, patienceMs);
}

async function retrying<T>(
  { clock, patienceMs, servers, credentials }: NatsLinkOptions,
  what: string,
  request: () => Promise<T>,
  isClosed: () => boolean = () => false,
): Promise<T> {
  const giveUpAtMs = clock.monotonicMs() + patienceMs;
  for (let waitMs = FIRST_RETRY_MS; ; waitMs = Math.min(2 * waitMs, MAX_RETRY_MS)) {
    try {
      return await request();
    } catch (thrown) {
      if (!isPassing(thrown) || isClosed()) throw natsError(thrown, what);
      if (clock.monotonicMs() + waitMs > giveUpAtMs) {
        throw new UnavailableError(
          `NATS (${servers.join(', ')}) did not ${what} within ${patienceMs} ms: is it up, with JetStream on and room on its disk?${mutualTlsHint(credentials)}`,
          { code: STORES_UNAVAILABLE, cause: thrown },
        );
      }
    }
    await clock.sleep(waitMs);
  }
}

/** @throws ConfigError where a file can't be read */
async function authentication(credentials: NatsCredentials): Promise<NodeConnectionOptions> {
  const { credsFile, nkeySeedFile, tokenFile, tls } = credentials;
  const inUse = [credsFile, nkeySeedFile, tokenFile].filter((file) => file !== undefined);
  if (inUse.length > 1) {
    throw new ConfigError(`${inUse.join(' and ')} can't both say who this is to NATS: name one of them`);
  }
  return {
    ...(credsFile === undefined ? {} : { authenticator: credsAuthenticator(await secretIn(credsFile)) }),
    ...(nkeySeedFile === undefined ? {} : { authenticator: nkeyAuthenticator(await secretIn(nkeySeedFile)) }),
    ...(tokenFile === undefined ? {} : { token: new TextDecoder().decode(await secretIn(tokenFile)) }),
    ...(tls === undefined ? {} : { tls: await tlsOptions(tls) }),
  };
}

/** A server that misses a client's certificate just falls silent. */
function mutualTlsHint({ tls }: NatsCredentials = {}): string {
  return tls ? ' Does it know the certificate that natsCertFile shows it?' : '';
}

/** The files are read here, so that one that can't be read is named at once. */
async function tlsOptions({ caFile, certFile, keyFile }: NonNullable<NatsCredentials['tls']>): Promise<TlsOptions> {
  const pem = async (file: string) => new TextDecoder().decode(await secretIn(file));
  return {
    ...(caFile !== undefined && { ca: await pem(caFile) }),
    ...(certFile !== undefined && { cert: await pem(certFile) }),
    ...(keyFile !== undefined && { key: await pem(keyFile) }),
  };
}

async function secretIn(file: string): Promise<Uint8Array> {
  try {
    return new TextEncoder().encode((await readFile(file, 'utf8')).trim());
  } catch (cause) {
    throw new ConfigError(`the NATS credentials in ${file} can't be read: ${(cause as Error).message}`, { cause });
  }
}
