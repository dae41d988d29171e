import { describe, expect, it } from 'vitest';
import { serve } from '../../../../test/helpers/grpc.js';
import { waitFor } from '../../../../test/helpers/wait-for.js';
import { FailedPreconditionError, InvalidArgumentError } from '../errors.js';

const ORCHESTRATOR = 'bbdistill.v1.DistillationService';

describe('client streams', () => {
  it('client stream - all messages reach the handler and its response comes back', async () => {
    await using served = await serve(ORCHESTRATOR, {
      UploadImages: async (requests) => {
        let images = 0;
        for await (const request of requests) images += request.pixels.length;
        return { id: 'set', images };
      },
    });
    async function* pieces() {
      for (let i = 0; i < 50; i++) yield { pixels: Buffer.alloc(1000) };
    }
    expect(await served.client.clientStream('UploadImages', pieces())).toMatchObject({ id: 'set', images: 50_000 });
  });

  it('client stream - a handler that refuses early stops the source', async () => {
    let left = false;
    await using served = await serve(ORCHESTRATOR, {
      UploadImages: async (requests) => {
        for await (const request of requests) throw new InvalidArgumentError(`bad piece of ${request.pixels.length}`);
        return {};
      },
    });
    async function* endless() {
      try {
        for (;;) yield { pixels: Buffer.alloc(100_000) };
      } finally {
        left = true;
      }
    }
    await expect(served.client.clientStream('UploadImages', endless())).rejects.toMatchObject({
      kind: 'invalid-argument',
      message: 'bad piece of 100000',
    });
    await waitFor('the source to be left', () => left);
  });

  it('client stream - a handler may answer before it has read everything', async () => {
    await using served = await serve(ORCHESTRATOR, {
      UploadImages: async (requests) => {
        for await (const request of requests) return { id: 'early', images: request.pixels.length };
        return {};
      },
    });
    async function* endless() {
      for (;;) yield { pixels: Buffer.alloc(100_000) };
    }
    expect(await served.client.clientStream('UploadImages', endless())).toMatchObject({ id: 'early' });
  });

  it('client stream - an error of the source cancels the call and is thrown as it is', async () => {
    let seen: unknown;
    await using served = await serve(ORCHESTRATOR, {
      UploadImages: async (requests) => {
        try {
          for await (const request of requests) seen = request.pixels.length;
        } catch (error) {
          seen = error;
          throw error;
        }
        return {};
      },
    });
    async function* broken() {
      yield { pixels: Buffer.alloc(10) };
      await waitFor('the first piece to arrive', () => seen === 10);
      throw new FailedPreconditionError('the file is gone');
    }
    await expect(served.client.clientStream('UploadImages', broken())).rejects.toThrow('the file is gone');
    await waitFor('the handler to hear of it', () => (seen as { kind?: string } | undefined)?.kind === 'cancelled');
  });

  it('client stream - cancelling rejects and leaves a source that waits', async () => {
    let started = false;
    await using served = await serve(ORCHESTRATOR, {
      UploadImages: async (requests) => {
        for await (const request of requests) started = request.pixels.length > 0;
        return {};
      },
    });
    async function* stuck() {
      yield { pixels: Buffer.alloc(10) };
      await new Promise(() => undefined);
    }
    const stop = new AbortController();
    const upload = served.client.clientStream('UploadImages', stuck(), { signal: stop.signal });
    upload.catch(() => undefined);
    await waitFor('the upload to start', () => started);
    stop.abort();
    await expect(upload).rejects.toMatchObject({ kind: 'cancelled' });
  });

  it('client stream - a handler that reads slowly holds the source back', async () => {
    let made = 0;
    let goOn = (): void => undefined;
    const gate = new Promise<void>((resolve) => (goOn = resolve));
    await using served = await serve(ORCHESTRATOR, {
      UploadImages: async (requests) => {
        let images = 0;
        for await (const request of requests) {
          await gate;
          images += request.pixels.length > 0 ? 1 : 0;
        }
        return { images };
      },
    });
    const messages = 400;
    async function* pieces() {
      for (; made < messages; made++) yield { pixels: Buffer.alloc(256 * 1024) };
    }
    const upload = served.client.clientStream('UploadImages', pieces());
    let before = -1;
    await waitFor('the source to stand still', async () => {
      if (made > 0 && before === made) return true;
      before = made;
      await new Promise((resolve) => setTimeout(resolve, 100));
      return false;
    });
    expect(made).toBeLessThan(messages / 2);
    goOn();
    expect((await upload).images).toBe(messages);
  });
});
