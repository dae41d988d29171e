import { BbdError, InvalidArgumentError, UnavailableError, runIdOf } from '@bbdistill/common';
import { describe, expect, it } from 'vitest';
import { serve } from '../../../test/helpers/grpc.js';
import { hastyClock } from '../../../test/helpers/hasty-clock.js';
import { createRun } from './create-run.js';

const SERVICE = 'bbdistill.v1.DistillationService';
const TIMEOUT_MS = 300;

/** Answers that a test's orchestrator gives, the last one again and again. */
async function orchestratorThat(...answers: ((signal: AbortSignal) => Promise<void>)[]) {
  const requestIds: string[] = [];
  const served = await serve(
    SERVICE,
    {
      async CreateRun({ requestId }, { signal }) {
        requestIds.push(requestId);
        await answers[Math.min(requestIds.length, answers.length) - 1]!(signal);
        return { id: runIdOf(requestId) };
      },
    },
    {},
    { defaultTimeoutMs: TIMEOUT_MS },
  );
  return { served, requestIds };
}

const none = (signal: AbortSignal) =>
  new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
const yes = async () => undefined;
const failure = (error: BbdError) => () => Promise.reject(error);

describe('createRun', () => {
  it('a call without an answer - is made again, with the same request id', async () => {
    const { served, requestIds } = await orchestratorThat(none, failure(new UnavailableError('it restarts')), yes);
    await using _served = served;
    const { id } = await createRun(served.client, {}, { clock: hastyClock() });
    expect(requestIds.length).toBeGreaterThanOrEqual(3);
    expect(new Set(requestIds).size).toBe(1);
    expect(id).toBe(runIdOf(requestIds[0]!));
  });

  it('no answer at all - the error names the run that may be there, and where to look for it', async () => {
    const { served, requestIds } = await orchestratorThat(none, failure(new BbdError('deadline-exceeded', 'too late')));
    await using _served = served;
    const created = createRun(served.client, {}, { requestId: 'mine', clock: hastyClock() });
    await expect(created).rejects.toMatchObject({
      kind: 'deadline-exceeded',
      code: 'DEADLINE_EXCEEDED',
      message: expect.stringContaining(`(bbdistill watch ${runIdOf('mine')}, or GetRun)`) as unknown,
    });
    expect(requestIds.length).toBeGreaterThan(1);
    expect(new Set(requestIds)).toEqual(new Set(['mine']));
  });

  it('an interrupt between two attempts - the error names the run as well', async () => {
    const stop = new AbortController();
    const { served } = await orchestratorThat(async () => {
      stop.abort();
      throw new UnavailableError('it restarts');
    });
    await using _served = served;
    const created = createRun(served.client, {}, { requestId: 'mine', signal: stop.signal, clock: hastyClock() });
    await expect(created).rejects.toMatchObject({
      kind: 'cancelled',
      message: expect.stringContaining(runIdOf('mine')) as unknown,
    });
  });

  it('a refusal - is not repeated and names no run', async () => {
    const { served, requestIds } = await orchestratorThat(failure(new InvalidArgumentError('classes is 1')));
    await using _served = served;
    const created = createRun(served.client, {}, { clock: hastyClock() });
    await expect(created).rejects.toMatchObject({ kind: 'invalid-argument', message: 'classes is 1' });
    expect(requestIds).toHaveLength(1);
  });
});
