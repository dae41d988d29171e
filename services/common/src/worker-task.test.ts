import { execFile, spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { constants, getPriority } from 'node:os';
import { promisify } from 'node:util';
import { describe, expect, it, vi } from 'vitest';
import { waitFor } from '../../../test/helpers/wait-for.js';
import { BbdError, CancelledError } from './errors.js';
import { standBack } from './stand-back.js';
import { THREAD_LINGER_MS } from './task-channel.js';
import type { TaskIsolation } from './task-transport.js';
import { runWorkerTask, serveWorkerTask } from './worker-task.js';

const script = new URL('../../../test/helpers/worker-fixture.mjs', import.meta.url);
const never = new AbortController().signal;

describe.each(['thread', 'process'] as const)('worker tasks in a %s', (isolation) => {
  const run = <Result>(input: object, more: object = {}) =>
    runWorkerTask<object, Result, unknown>({ script, input, isolation, signal: never, ...more });

  it('worker task - gives the result and the messages in order', async () => {
    const messages: unknown[] = [];
    const result = await run<number>(
      { do: 'add', a: 2, b: 3 },
      { onMessage: (message: unknown) => messages.push(message) },
    );
    expect(result).toBe(5);
    expect(messages).toEqual([{ step: 1 }, { step: 2 }]);
  });

  it.runIf(process.platform === 'linux')('worker task - yields to whoever started it', async () => {
    const mine = getPriority();
    const { PRIORITY_BELOW_NORMAL, PRIORITY_LOW } = constants.priority;
    expect(await run({ do: 'priority' })).toBe(Math.min(mine + PRIORITY_BELOW_NORMAL, PRIORITY_LOW));
    expect(getPriority()).toBe(mine);
  });

  it('worker task - an error keeps kind, code, message and retry', async () => {
    const failure = run({ do: 'fail' });
    await expect(failure).rejects.toThrow(BbdError);
    await expect(failure).rejects.toMatchObject({
      kind: 'budget-exhausted',
      code: 'BUDGET_EXHAUSTED',
      message: 'no more',
      retryAfterMs: 7,
      retryable: false,
    });
  });

  it('worker task - a foreign error is internal', async () => {
    await expect(run({ do: 'unknown' })).rejects.toMatchObject({
      kind: 'internal',
      message: 'nothing to do for unknown',
    });
  });

  it('worker task - one that ends without a word is an error', async () => {
    await expect(run({ do: 'exit' })).rejects.toMatchObject({
      code: 'WORKER_DIED',
      retryable: true,
      message: expect.stringMatching(`^the ${isolation} of .*worker-fixture.mjs ended with exit code 3 `) as unknown,
    });
  });

  it('worker task - results come over by copy or hand over their buffers', async () => {
    expect(await run({ do: 'double', values: Float32Array.of(1, 2) })).toEqual(Float32Array.of(2, 4));
    expect(await run({ do: 'make', length: 3 })).toEqual(Float32Array.of(1, 1, 1));
  });

  it('worker task - buffers of the input are handed over to a thread when asked, and copied to a process', async () => {
    const buffer = new ArrayBuffer(1000);
    expect(await run({ do: 'size', buffer }, { transfer: [buffer] })).toBe(1000);
    expect(buffer.byteLength).toBe(isolation === 'thread' ? 0 : 1000);
  });

  it('worker task - an abort lets the task clean up', async () => {
    const stop = new AbortController();
    const messages: unknown[] = [];
    const result = await run(
      { do: 'wait-politely' },
      {
        signal: stop.signal,
        onMessage: (message: unknown) => {
          messages.push(message);
          stop.abort();
        },
      },
    );
    expect(result).toBe('stopped');
    expect(messages).toEqual(['waiting', 'cleaned up']);
  });

  it.each(['wait-deafly', 'spin'])('worker task - an abort ends a task that does not stop (%s)', async (what) => {
    const stop = new AbortController();
    const task = run({ do: what }, { signal: stop.signal, stopGraceMs: 20, onMessage: () => stop.abort() });
    await expect(task).rejects.toThrow(CancelledError);
  });

  it('worker task - an aborted signal starts nothing', async () => {
    await expect(run({ do: 'add' }, { signal: AbortSignal.abort() })).rejects.toThrow(CancelledError);
  });

  it('worker task - a script that was not built is named', async () => {
    const missing = new URL('./no-such-task.ts', import.meta.url);
    await expect(run({}, { script: missing })).rejects.toMatchObject({
      code: 'NOT_BUILT',
      message: expect.stringMatching(/dist\/no-such-task\.js is not there.*npm run build/) as unknown,
    });
  });
});

describe('worker tasks that go wrong', () => {
  const run = (isolation: TaskIsolation, input: object, more: object = {}) =>
    runWorkerTask<object, unknown, unknown>({ script, input, isolation, signal: never, ...more });

  it('worker task - an error outside the task fails it instead of the service', async () => {
    const inThread = run('thread', { do: 'crash' });
    await expect(inThread).rejects.toMatchObject({ kind: 'internal', message: 'outside the promise' });
    // What an uncaught error was is on the process's standard error only.
    await expect(run('process', { do: 'crash' })).rejects.toMatchObject({ code: 'WORKER_DIED' });
  });

  it('worker task - a process that crashes names its signal and takes nobody along', async () => {
    await expect(run('process', { do: 'abort' })).rejects.toMatchObject({
      code: 'WORKER_DIED',
      retryable: true,
      message: expect.stringContaining('ended with signal SIGABRT') as unknown,
    });
  });

  it('worker task - Ctrl-C in a terminal reaches the process too and is left to whoever started it', async () => {
    const messages: unknown[] = [];
    const onMessage = (message: unknown) => messages.push(message);
    expect(await run('process', { do: 'interrupt-itself' }, { onMessage })).toBe('still here');
    expect(messages).toEqual(['interrupted']);
  });

  it('worker task - serving outside a task is refused', () => {
    expect(() => serveWorkerTask(async () => 1)).toThrow(/outside a task/);
  });
});

describe('threads of worker tasks', () => {
  const run = (input: object, onMessage?: (message: number) => void) =>
    runWorkerTask<object, number, number>({ script, input, signal: never, ...(onMessage && { onMessage }) });

  it('threads - a task is given to a thread that is free, one beside it to another', async () => {
    let last: number | undefined;
    await waitFor('a thread to be given again', async () => last === (last = await run({ do: 'thread' })));
    const both = await Promise.all([run({ do: 'thread' }), run({ do: 'thread' })]);
    expect(new Set(both).size).toBe(2);
  });

  it('threads - one that is told to wait for more is there when others have gone', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      // None of the threads of other tests: those go by timers that are real ones.
      const own = new URL(`${script.href}?patient`);
      const options = { script: own, signal: never, threadLingerMs: 10 * THREAD_LINGER_MS };
      const patient = () => runWorkerTask<object, number>({ ...options, input: { do: 'thread' } });
      let last: number | undefined;
      await waitFor('a thread to be given again', async () => last === (last = await patient()));
      vi.advanceTimersByTime(9 * THREAD_LINGER_MS);
      // The last one that came free is taken first: with one task more each time it has its turn.
      let tasks = 0;
      const several = () => Promise.all(Array.from({ length: ++tasks }, patient));
      await waitFor('that thread to be given again', async () => (await several()).includes(last!));
    } finally {
      vi.useRealTimers();
    }
  });

  it.each([{ do: 'fail-here' }, { do: 'hoard', bytes: 100 * 2 ** 20 }])(
    'threads - one that did %j gets no other task',
    async (task) => {
      const used: number[] = [];
      await run(task, (thread) => used.push(thread)).catch(() => undefined);
      const later: number[] = [];
      for (let i = 0; i < 5; i++) later.push(await run({ do: 'thread' }));
      expect(used).toHaveLength(1);
      expect(later).not.toContain(used[0]);
    },
  );
});

describe.runIf(process.platform === 'linux')('standing back', () => {
  it('stand back - a process of a session of its own has the lower priority, among all sessions as well', async () => {
    const child = spawn(process.execPath, ['-e', 'setInterval(() => undefined, 1000)'], { detached: true });
    try {
      await standBack(child.pid!, 5);
      const wanted = Math.min(getPriority() + 5, 19);
      expect(getPriority(child.pid)).toBe(wanted);
      const group = await readFile(`/proc/${child.pid!}/autogroup`, 'utf8').catch(() => undefined);
      // Absent from systems that don't group by session.
      if (group) expect(group).toMatch(new RegExp(` nice ${wanted}\n$`));
    } finally {
      child.kill('SIGKILL');
    }
  });

  it('stand back - of a process that is gone is nobody to tell', async () => {
    await standBack(2 ** 22 + 1, 5);
  });
});

describe('processes of worker tasks', () => {
  const run = (input: object, onMessage?: (message: number) => void, processLingerMs = 60_000) =>
    runWorkerTask<object, number, number>({
      ...{ script, input, signal: never, isolation: 'process', processLingerMs, processEnv: { FIXTURE_COLOUR: 'red' } },
      ...(onMessage && { onMessage }),
    });

  it('processes - one that lingers is given the next task, one beside it to another', async () => {
    let last: number | undefined;
    await waitFor('a process to be given again', async () => last === (last = await run({ do: 'process' })));
    expect(await run({ do: 'environment', name: 'FIXTURE_COLOUR' })).toBe('red');
    const both = await Promise.all([run({ do: 'process' }), run({ do: 'process' })]);
    expect(new Set(both).size).toBe(2);
  });

  it('processes - one goes when nothing came for as long as it lingers', async () => {
    const pid = await run({ do: 'process' }, undefined, 1);
    await waitFor('its end', async () => !isThere(pid));
  });

  it('processes - one that failed or was killed while it waited gets no other task', async () => {
    const used: number[] = [];
    await run({ do: 'fail-here' }, (pid) => used.push(pid)).catch(() => undefined);
    let waiting = 0;
    await waitFor('a process to be given again', async () => waiting === (waiting = await run({ do: 'process' })));
    process.kill(waiting, 'SIGKILL');
    await waitFor('its end', async () => !isThere(waiting));
    expect([...used, waiting]).not.toContain(await run({ do: 'process' }));
  });

  it('processes - one that lingers keeps nobody from ending, and ends with whoever started it', async () => {
    const module = new URL('../dist/worker-task.js', import.meta.url).href;
    const program = `
      import { runWorkerTask } from ${JSON.stringify(module)};
      const input = { do: 'process' };
      const { signal } = new AbortController();
      const options = { script: new URL(${JSON.stringify(script.href)}), input, signal, isolation: 'process' };
      console.log(await runWorkerTask({ ...options, processLingerMs: 600_000 }));`;
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program]);
    expect(Number(stdout)).toBeGreaterThan(0);
    await waitFor('its end', async () => !isThere(Number(stdout)));
  });
});

function isThere(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
