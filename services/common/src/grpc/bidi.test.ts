import { describe, expect, it } from 'vitest';
import { serve } from '../../../../test/helpers/grpc.js';
import { waitFor } from '../../../../test/helpers/wait-for.js';
import { BbdError } from '../errors.js';

const TEACHER = 'bbdistill.v1.TeacherService';

async function* pieces(count: number) {
  for (let i = 0; i < count; i++) yield { pixels: Buffer.from([i]) };
}

describe('bidirectional streams', () => {
  it('bidi - each request is answered in order', async () => {
    await using served = await serve(TEACHER, {
      async *Label(requests) {
        for await (const request of requests) yield { targets: [request.pixels[0]!] };
      },
    });
    const got: number[] = [];
    for await (const { targets } of served.client.bidi('Label', pieces(100))) got.push(targets[0]!);
    expect(got).toEqual(Array.from({ length: 100 }, (_, i) => i));
  });

  it('bidi - a handler that stops reading early ends the call instead of hanging it', async () => {
    await using served = await serve(TEACHER, {
      async *Label(requests) {
        for await (const request of requests) {
          yield { targets: [request.pixels[0]!] };
          break;
        }
        yield { targets: [7] };
      },
    });
    const got: number[] = [];
    for await (const { targets } of served.client.bidi('Label', pieces(1000))) got.push(targets[0]!);
    expect(got).toEqual([0, 7]);
  });

  it('bidi - the error of a handler comes after its answers', async () => {
    await using served = await serve(TEACHER, {
      async *Label(requests) {
        for await (const request of requests) {
          if (request.pixels[0] === 3)
            throw new BbdError('budget-exhausted', 'three is enough', { code: 'BUDGET_EXHAUSTED' });
          yield { targets: [request.pixels[0]!] };
        }
      },
    });
    const got: number[] = [];
    const read = async () => {
      for await (const { targets } of served.client.bidi('Label', pieces(10))) got.push(targets[0]!);
    };
    await expect(read()).rejects.toMatchObject({ kind: 'budget-exhausted', code: 'BUDGET_EXHAUSTED' });
    expect(got).toEqual([0, 1, 2]);
  });

  it('bidi - a client that leaves the loop ends the handler and the source', async () => {
    let handlerEnded = false;
    let sourceLeft = false;
    await using served = await serve(TEACHER, {
      async *Label(requests) {
        try {
          for await (const request of requests) yield { targets: [request.pixels.length] };
        } finally {
          handlerEnded = true;
        }
      },
    });
    async function* endless() {
      try {
        for (;;) yield { pixels: Buffer.alloc(1000) };
      } finally {
        sourceLeft = true;
      }
    }
    for await (const { targets } of served.client.bidi('Label', endless())) {
      expect(targets).toEqual([1000]);
      break;
    }
    await waitFor('both sides to end', () => handlerEnded && sourceLeft);
  });

  it('bidi - cancelling ends both sides', async () => {
    let handlerError: unknown;
    await using served = await serve(TEACHER, {
      async *Label(requests) {
        try {
          for await (const request of requests) yield { targets: [request.pixels.length] };
        } catch (error) {
          handlerError = error;
          throw error;
        }
      },
    });
    const stop = new AbortController();
    async function* stuck() {
      yield { pixels: Buffer.alloc(1) };
      await new Promise(() => undefined);
    }
    const read = async () => {
      for await (const { targets } of served.client.bidi('Label', stuck(), { signal: stop.signal })) {
        expect(targets).toEqual([1]);
        stop.abort();
      }
    };
    await expect(read()).rejects.toMatchObject({ kind: 'cancelled' });
    await waitFor('the handler to hear of it', () => (handlerError as BbdError | undefined)?.kind === 'cancelled');
  });

  it('bidi - an error of the source is thrown as it is', async () => {
    await using served = await serve(TEACHER, {
      async *Label(requests) {
        for await (const request of requests) yield { targets: [request.pixels.length] };
      },
    });
    async function* broken() {
      yield { pixels: Buffer.alloc(1) };
      throw new RangeError('no more');
    }
    const read = async () => {
      for await (const { targets } of served.client.bidi('Label', broken())) expect(targets).toEqual([1]);
    };
    await expect(read()).rejects.toThrow(RangeError);
  });

  it('bidi - a request larger than the limit is refused', async () => {
    await using served = await serve(
      TEACHER,
      {
        async *Label(requests) {
          for await (const request of requests) yield { targets: [request.pixels.length] };
        },
      },
      { maxMessageBytes: 1000 },
    );
    async function* large() {
      yield { pixels: Buffer.alloc(2000) };
    }
    const read = async () => {
      for await (const { targets } of served.client.bidi('Label', large())) expect(targets).toEqual([]);
    };
    await expect(read()).rejects.toMatchObject({ kind: 'resource-exhausted' });
  });
});
