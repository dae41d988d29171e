import { JointSignal } from '../../joint-signal.js';
import { Mailbox } from '../embedded/mailbox.js';
import type { LoopAges } from './loop-ages.js';
import type { NatsLink } from './nats-link.js';
import { tail } from './ordered-messages.js';
import type { StreamMessage } from './ordered-messages.js';
import { filterOfPrefix, subjectOfKey } from './subjects.js';

/** What comes for one key. */
export interface KeyMessages extends Disposable {
  /** Every message of the key that was stored after the opening, perhaps a few from before, until the signal aborts. */
  take(signal: AbortSignal): AsyncIterable<StreamMessage>;
}

interface Folder {
  /** The consumer brings what comes after this sequence of the stream. */
  startsAfter: Promise<number>;
  /** Of each key those who wait for its messages. */
  readonly mailboxes: Map<string, Set<Mailbox<StreamMessage | Error>>>;
}

/**
 * Watches of single keys. A server has trouble with thousands of consumers, and a process may wait for thousands of
 * jobs: all keys of a folder (`jobs/`) share one consumer, which is made for the first of them and stays.
 */
export class KeyWatches {
  readonly #folders = new Map<string, Folder>();

  constructor(
    private readonly link: NatsLink,
    private readonly loops: LoopAges,
    private readonly stream: string,
    private readonly subjectPrefix: string,
  ) {}

  /**
   * Messages that are stored after its promise is fulfilled are certain to come.
   * @throws UnavailableError where NATS is away
   */
  async open(key: string): Promise<KeyMessages> {
    const subject = this.subjectPrefix + subjectOfKey(key);
    const folder = this.#folderOf(key.slice(0, key.lastIndexOf('/') + 1));
    const mailbox = new Mailbox<StreamMessage | Error>();
    const others = folder.mailboxes.get(subject);
    if (others) others.add(mailbox);
    else folder.mailboxes.set(subject, new Set([mailbox]));
    const close = () => {
      const left = folder.mailboxes.get(subject);
      left?.delete(mailbox);
      if (left?.size === 0) folder.mailboxes.delete(subject);
    };
    try {
      await folder.startsAfter;
    } catch (error) {
      close();
      throw error;
    }
    const { link } = this;
    return {
      async *take(signal) {
        using until = new JointSignal(signal, link.closing);
        for await (const message of mailbox.take(until.signal)) {
          if (message instanceof Error) throw message;
          yield message;
        }
      },
      [Symbol.dispose]: close,
    };
  }

  #folderOf(name: string): Folder {
    const known = this.#folders.get(name);
    if (known) return known;
    const folder: Folder = { startsAfter: this.link.lastSequence(this.stream), mailboxes: new Map() };
    this.#folders.set(name, folder);
    this.#follow(name, folder)
      .catch((error: Error) => {
        for (const mailboxes of folder.mailboxes.values()) for (const mailbox of mailboxes) mailbox.put(error);
      })
      .finally(() => this.#folders.delete(name));
    return folder;
  }

  async #follow(name: string, { startsAfter, mailboxes }: Folder): Promise<void> {
    const start = (await startsAfter) + 1;
    using loop = this.loops.start(`watch ${name}`);
    const filter = this.subjectPrefix + filterOfPrefix(name);
    for await (const message of tail(this.link, this.stream, filter, start, this.link.closing, loop.beat)) {
      for (const mailbox of mailboxes.get(message.subject) ?? []) mailbox.put(message);
    }
  }
}
