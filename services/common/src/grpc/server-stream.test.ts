import { describe, expect, it } from 'vitest';
import { serve } from '../../../../test/helpers/grpc.js';
import { waitFor } from '../../../../test/helpers/wait-for.js';
import { NotFoundError } from '../errors.js';

const ORCHESTRATOR = 'bbdistill.v1.DistillationService';
const REQUEST = { runId: 'r', path: 'p' };

describe('server streams', () => {
  it('server stream - all messages arrive in order', async () => {
    await using served = await serve(ORCHESTRATOR, {
      async *DownloadArtifact() {
        for (let i = 0; i < 200; i++) yield { data: Buffer.from([i]) };
      },
    });
    const got: number[] = [];
    for await (const { data } of served.client.serverStream('DownloadArtifact', REQUEST)) got.push(data[0]!);
    expect(got).toEqual(Array.from({ length: 200 }, (_, i) => i));
  });

  it('server stream - an error after messages keeps the messages and comes as thrown', async () => {
    await using served = await serve(ORCHESTRATOR, {
      async *DownloadArtifact() {
        yield { data: Buffer.from([1]) };
        yield { data: Buffer.from([2]) };
        throw new NotFoundError('no such file', { code: 'NO_FILE' });
      },
    });
    const got: number[] = [];
    const read = async () => {
      for await (const { data } of served.client.serverStream('DownloadArtifact', REQUEST)) got.push(data[0]!);
    };
    await expect(read()).rejects.toMatchObject({ kind: 'not-found', code: 'NO_FILE' });
    expect(got).toEqual([1, 2]);
  });

  it('server stream - a client that leaves the loop ends the generator of the handler', async () => {
    let ended = false;
    await using served = await serve(ORCHESTRATOR, {
      async *DownloadArtifact() {
        try {
          for (;;) yield { data: Buffer.alloc(10_000) };
        } finally {
          ended = true;
        }
      },
    });
    for await (const { data } of served.client.serverStream('DownloadArtifact', REQUEST)) {
      expect(data.length).toBe(10_000);
      break;
    }
    await waitFor('the generator to end', () => ended);
  });

  it('server stream - cancelling reaches a handler that waits for something else', async () => {
    let signal: AbortSignal | undefined;
    await using served = await serve(ORCHESTRATOR, {
      async *DownloadArtifact(_, context) {
        signal = context.signal;
        yield { data: Buffer.from([1]) };
        await new Promise((resolve) => context.signal.addEventListener('abort', resolve));
      },
    });
    const stop = new AbortController();
    const read = async () => {
      for await (const message of served.client.serverStream('DownloadArtifact', REQUEST, { signal: stop.signal })) {
        expect(message.data.length).toBe(1);
        stop.abort();
      }
    };
    await expect(read()).rejects.toMatchObject({ kind: 'cancelled' });
    await waitFor('the abort', () => signal?.aborted);
  });

  it('server stream - a deadline ends it with deadline-exceeded', async () => {
    await using served = await serve(ORCHESTRATOR, {
      async *DownloadArtifact(_, { signal }) {
        yield { data: Buffer.from([1]) };
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
      },
    });
    const read = async () => {
      for await (const message of served.client.serverStream('DownloadArtifact', REQUEST, { timeoutMs: 100 })) {
        expect(message.data.length).toBe(1);
      }
    };
    await expect(read()).rejects.toMatchObject({ kind: 'deadline-exceeded' });
  });

  it('server stream - a slow reader holds the generator back', async () => {
    let made = 0;
    const messages = 400;
    await using served = await serve(ORCHESTRATOR, {
      async *DownloadArtifact() {
        for (; made < messages; made++) yield { data: Buffer.alloc(256 * 1024) };
      },
    });
    let read = 0;
    let madeAtFirstStop = 0;
    for await (const message of served.client.serverStream('DownloadArtifact', REQUEST)) {
      read += message.data.length > 0 ? 1 : 0;
      if (read === 1) {
        // The generator has come to rest when many turns of the loop bring nothing new.
        let before = -1;
        await waitFor('the generator to stand still', async () => {
          if (before === made) return true;
          before = made;
          await new Promise((resolve) => setTimeout(resolve, 100));
          return false;
        });
        madeAtFirstStop = made;
      }
    }
    expect(madeAtFirstStop).toBeLessThan(messages / 2);
    expect(read).toBe(messages);
  });
});
