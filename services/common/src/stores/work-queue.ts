/** What waits to be done: a kind and the id of a job record; the record holds the rest. */
export interface QueueMessage {
  /** E.g. `label`, `train`: consumers choose by it. */
  kind: string;
  /** At most 256 characters. */
  id: string;
  /** The trace that the work belongs to: headers by name, kept with the message. */
  trace?: Readonly<Record<string, string>>;
}

/** One message in the hands of one consumer. Exactly one of `ack` and `nak` ends it. */
export interface Delivery {
  readonly message: QueueMessage;
  /** 1 for the first delivery. */
  readonly attempt: number;
  /** Done: the output is committed. */
  ack(): Promise<void>;
  /** Not done: deliver again after the delay. */
  nak(delayMs: number): Promise<void>;
  /** Still working: restarts the time after which the message is given to another consumer. */
  working(): Promise<void>;
}

export interface ConsumeOptions {
  kinds: readonly string[];
  /** Messages in hand at once. */
  concurrency: number;
  signal: AbortSignal;
}

/**
 * At-least-once delivery. A message that is neither acknowledged nor kept alive by `working` within the ack wait is
 * delivered again, also after a crash of the process.
 */
export interface WorkQueue {
  /** After which a message that is neither ended nor kept alive is delivered again. */
  readonly ackWaitMs: number;
  /**
   * The same kind and id may be published more than once.
   * @param signal after its abort a message that could not be stored yet is given up
   * @returns once the message is durable
   */
  publish(message: QueueMessage, signal?: AbortSignal): Promise<void>;
  /** Deliveries until the signal aborts (which ends the loop without an error). */
  consume(options: ConsumeOptions): AsyncIterable<Delivery>;
  /** Messages that nobody holds, by kind. */
  waiting(kind: string): Promise<number>;
  /** Messages that are not acknowledged, in hand or not, by kind. */
  unacknowledged(kind: string): Promise<number>;
  close(): Promise<void>;
}

export const DEFAULT_ACK_WAIT_MS = 30_000;
