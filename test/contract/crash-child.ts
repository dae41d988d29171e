// Run by the contract tests, which kill it: does one kind of work for ever and says what was acknowledged.
import { randomBytes } from 'node:crypto';
import { writeSync } from 'node:fs';
// Single modules of the source: the child starts in a fraction of the time that the whole package takes.
import { systemClock } from '../../services/common/src/clock.js';
import { encodeJson } from '../../services/common/src/json.js';
import { openEmbeddedStores } from '../../services/common/src/stores/embedded/open-embedded-stores.js';
import { openNatsStores } from '../../services/common/src/stores/nats/open-nats-stores.js';
import type { Stores } from '../../services/common/src/stores/stores.js';

const [work, implementation, ...location] = process.argv.slice(2);

// Synchronous: a line that a pipe still held at the kill would hide an acknowledgement.
const say = (line: string) => writeSync(1, `${line}\n`);

const WRITERS = 8;
const writers = (write: (writer: number) => Promise<void>) =>
  Promise.all(Array.from({ length: WRITERS }, (_, writer) => write(writer)));

const works: Record<string, (stores: Stores) => Promise<unknown>> = {
  blobs: (stores) =>
    writers(async (writer) => {
      for (let i = 0; ; i++) say((await stores.blobs.put(randomBytes(1 + ((i * 7919 + writer) % 300_000)))).sha256);
    }),

  state: (stores) =>
    writers(async (writer) => {
      const key = `counters/${writer}`;
      let revision = await stores.state.create(key, encodeJson(0));
      for (let count = 1; ; count++) {
        await stores.state.create(`records/${writer}-${count}`, encodeJson({ writer, count }));
        revision = await stores.state.update(key, encodeJson(count), revision);
        say(`${writer} ${count} ${revision}`);
      }
    }),

  events: async (stores) => {
    for (let last = 0; ;) {
      last = await stores.events.append('runs/a', encodeJson({ event: last + 1 }), last);
      say(String(last));
    }
  },

  publish: (stores) =>
    writers(async (writer) => {
      for (let i = 0; ; i++) {
        await stores.queue.publish({ kind: 'work', id: `${writer}-${i}` });
        say(`${writer}-${i}`);
      }
    }),

  consume: async (stores) => {
    const signal = new AbortController().signal;
    for await (const delivery of stores.queue.consume({ kinds: ['work'], concurrency: 4, signal })) {
      // Every other message stays in hand until the kill.
      if (Number(delivery.message.id) % 2 === 1) continue;
      await delivery.ack();
      say(delivery.message.id);
    }
  },

  fill: async (stores) => {
    let count = 0;
    const codeOf = (error: unknown) => (error as { code?: string }).code;
    try {
      for (; ; count++) await stores.state.create(`fill/${count}`, randomBytes(100_000));
    } catch (error) {
      say(`state ${codeOf(error)} after ${count}`);
    }
    await stores.blobs.put(randomBytes(8_000_000)).catch((error: unknown) => say(`blob ${codeOf(error)}`));
    process.exit(0);
  },

  hold: async () => {
    say(`holding ${process.pid}`);
    await systemClock.sleep(3_600_000);
  },
};

const openers: Record<string, (...location: string[]) => Promise<Stores>> = {
  embedded: (folder) => openEmbeddedStores({ folder: folder, clock: systemClock }),
  nats: (url, namespace, ackWaitMs) =>
    openNatsStores({
      servers: [url],
      replicas: 1,
      clock: systemClock,
      namespace: namespace,
      ...(ackWaitMs ? { ackWaitMs: Number(ackWaitMs) } : {}),
    }),
};

const open = openers[implementation!];
if (!open) throw new Error(`no stores of the kind ${implementation} are known here`);
await works[work!]!(await open(...location));
