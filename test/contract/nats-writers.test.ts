import { afterAll, beforeAll, expect, it } from 'vitest';
import { SequenceMismatchError, encodeJson } from '@bbdistill/common';
import { describeWithNats, startNatsServer } from '../helpers/nats-server.js';
import type { NatsServer } from '../helpers/nats-server.js';
import { natsFixture } from './nats-fixture.js';

const RUN = 'runs/shared';

describeWithNats('events of several processes in NATS', () => {
  let server: NatsServer;
  beforeAll(async () => void (server = await startNatsServer()));
  afterAll(() => server[Symbol.asyncDispose]());

  it('events - what one process remembers of a stream does not hide what another one did', async () => {
    await using fixture = await natsFixture(server);
    await using other = await fixture.another();
    const [mine, theirs] = [fixture.stores.events, other.events];
    const event = (n: number) => encodeJson({ n });
    await mine.append(RUN, event(1), 0);
    await mine.append(RUN, event(2), 1);
    await theirs.append(RUN, event(3), 2);
    await expect(mine.append(RUN, event(99), 2)).rejects.toThrow(SequenceMismatchError);
    await mine.append(RUN, event(4), 3);
    await theirs.deleteStream(RUN);
    await expect(mine.append(RUN, event(99), 4)).rejects.toThrow(SequenceMismatchError);
    expect(await theirs.append(RUN, event(1), 0)).toBe(1);
    expect(await mine.append(RUN, event(2), 1)).toBe(2);
    expect(await theirs.lastSequence(RUN)).toBe(2);
  });
});
