import { describe, expect, it } from 'vitest';
import { serve } from '../../../../test/helpers/grpc.js';
import { waitFor } from '../../../../test/helpers/wait-for.js';
import { BbdError, NotFoundError } from '../errors.js';
import type { ErrorKind } from '../errors.js';
import { connect } from './client.js';

const TEACHER = 'bbdistill.v1.TeacherService';

const KINDS: ErrorKind[] = [
  'invalid-argument',
  'not-found',
  'already-exists',
  'failed-precondition',
  'budget-exhausted',
  'resource-exhausted',
  'unavailable',
  'deadline-exceeded',
  'cancelled',
  'unauthenticated',
  'permission-denied',
  'conflict',
  'data-loss',
  'unimplemented',
  'internal',
];

async function failureOf(work: Promise<unknown>): Promise<BbdError> {
  const thrown = await work.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (!(thrown instanceof BbdError)) throw new Error(`expected a BbdError, got ${String(thrown)}`);
  return thrown;
}

describe('unary calls', () => {
  it('unary - a request reaches the handler with defaults written and the response comes back', async () => {
    await using served = await serve(TEACHER, {
      GetJob: async (request, context) => ({ id: request.id, kind: context.peer.split(':')[0]!, queuedAtMs: 2 ** 40 }),
    });
    const job = await served.client.unary('GetJob', { id: 'abc' });
    expect(job).toMatchObject({ id: 'abc', kind: '127.0.0.1', queuedAtMs: 2 ** 40, state: 'JOB_STATE_UNSPECIFIED' });
    expect(job.attempts).toBe(0);
  });

  it.each(KINDS)('unary - an error of kind %s keeps kind, code, message and retry on its way', async (kind) => {
    await using served = await serve(TEACHER, {
      GetJob: async () => {
        throw new BbdError(kind, 'the value 7 — é 100% \ud800', { code: 'SOME_CODE', retryAfterMs: 1500 });
      },
    });
    const error = await failureOf(served.client.unary('GetJob', { id: '1' }));
    expect(error).toMatchObject({ kind, code: 'SOME_CODE', retryAfterMs: 1500, retryable: kind === 'unavailable' });
    expect(error.message).toBe('the value 7 — é 100% \ufffd');
  });

  it('unary - an error comes back as the class of its kind, and retryable is kept against the default', async () => {
    await using served = await serve(TEACHER, {
      GetJob: async () => {
        throw new NotFoundError('gone', { retryable: true });
      },
    });
    const error = await failureOf(served.client.unary('GetJob', { id: '1' }));
    expect(error).toBeInstanceOf(NotFoundError);
    expect(error.retryable).toBe(true);
  });

  it('unary - a foreign error becomes internal and is logged with its method', async () => {
    const logged: object[] = [];
    const drop = () => undefined;
    await using served = await serve(
      TEACHER,
      {
        GetJob: async () => {
          throw new TypeError('oops');
        },
      },
      { logger: { debug: drop, info: drop, warn: drop, error: (fields) => logged.push(fields) } },
    );
    expect(await failureOf(served.client.unary('GetJob', { id: '1' }))).toMatchObject({ kind: 'internal' });
    expect(logged).toEqual([expect.objectContaining({ method: '/bbdistill.v1.TeacherService/GetJob' })]);
  });

  it('unary - a very long message is cut instead of breaking the call', async () => {
    await using served = await serve(TEACHER, {
      GetJob: async () => {
        throw new NotFoundError('é'.repeat(100_000));
      },
    });
    expect(await failureOf(served.client.unary('GetJob', { id: '1' }))).toMatchObject({ kind: 'not-found' });
  });

  it('unary - cancelling aborts the handler and rejects with cancelled', async () => {
    let handlerSignal: AbortSignal | undefined;
    await using served = await serve(TEACHER, {
      GetJob: (_, { signal }) => {
        handlerSignal = signal;
        return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('stopped'))));
      },
    });
    const stop = new AbortController();
    const failure = failureOf(served.client.unary('GetJob', { id: '1' }, { signal: stop.signal }));
    await waitFor('the handler', () => handlerSignal);
    stop.abort();
    expect(await failure).toMatchObject({ kind: 'cancelled' });
    await waitFor('the abort', () => handlerSignal?.aborted);
  });

  it('unary - an aborted signal makes no call', async () => {
    let calls = 0;
    await using served = await serve(TEACHER, { GetJob: async () => ({ id: String(calls++) }) });
    const failure = await failureOf(served.client.unary('GetJob', { id: '1' }, { signal: AbortSignal.abort() }));
    expect(failure.kind).toBe('cancelled');
    expect(calls).toBe(0);
  });

  it('unary - the deadline is known to the handler, aborts it and rejects with deadline-exceeded', async () => {
    let handlerSignal: AbortSignal | undefined;
    let deadlineMs = 0;
    await using served = await serve(TEACHER, {
      GetJob: (_, context) => {
        handlerSignal = context.signal;
        deadlineMs = context.deadlineMs ?? 0;
        return new Promise(() => undefined);
      },
    });
    const before = Date.now();
    const error = await failureOf(served.client.unary('GetJob', { id: '1' }, { timeoutMs: 200 }));
    expect(error.kind).toBe('deadline-exceeded');
    await waitFor('the abort', () => handlerSignal?.aborted);
    expect(deadlineMs).toBeGreaterThan(before);
    expect(deadlineMs).toBeLessThan(before + 30_000);
  });

  it('unary - the default deadline holds where the call sets none', async () => {
    await using served = await serve(
      TEACHER,
      { GetJob: () => new Promise(() => undefined) },
      {},
      { defaultTimeoutMs: 50 },
    );
    expect(await failureOf(served.client.unary('GetJob', { id: '1' }))).toMatchObject({ kind: 'deadline-exceeded' });
  });

  it('unary - a request larger than the limit is refused, a smaller one passes', async () => {
    await using served = await serve(
      TEACHER,
      { GetJob: async ({ id }) => ({ kind: String(id.length) }) },
      {
        maxMessageBytes: 10_000,
      },
    );
    expect(await failureOf(served.client.unary('GetJob', { id: 'x'.repeat(10_001) }))).toMatchObject({
      kind: 'resource-exhausted',
    });
    expect((await served.client.unary('GetJob', { id: 'x'.repeat(9_000) })).kind).toBe('9000');
  });

  it('unary - a response larger than the client takes is refused', async () => {
    await using served = await serve(
      TEACHER,
      { GetJob: async () => ({ id: 'x'.repeat(10_001) }) },
      {},
      { maxMessageBytes: 10_000 },
    );
    expect(await failureOf(served.client.unary('GetJob', { id: '' }))).toMatchObject({ kind: 'resource-exhausted' });
  });

  it('unary - nobody listening is unavailable and retryable, and ready says so by name', async () => {
    const client = connect(TEACHER, '127.0.0.1:1');
    try {
      expect(await failureOf(client.unary('GetJob', { id: '1' }))).toMatchObject({
        kind: 'unavailable',
        retryable: true,
      });
      const notReady = await failureOf(client.ready(50));
      expect(notReady.kind).toBe('unavailable');
      expect(notReady.message).toContain('127.0.0.1:1');
    } finally {
      client.close();
    }
  });

  it('unary - the Open Inference Protocol is served and called by the same functions', async () => {
    await using served = await serve('inference.GRPCInferenceService', {
      ModelInfer: async (request) => ({ modelName: request.modelName, rawOutputContents: request.rawInputContents }),
    });
    await served.client.ready(5_000);
    const answer = await served.client.unary('ModelInfer', { modelName: 'm', rawInputContents: [Buffer.from([1, 2])] });
    expect(answer.modelName).toBe('m');
    expect([...answer.rawOutputContents[0]!]).toEqual([1, 2]);
  });
});
