// The task's side of the worker task tests: does what its input says.
import { getPriority } from 'node:os';
import { setImmediate, setInterval } from 'node:timers';
import { threadId } from 'node:worker_threads';
// Not from the package as a whole, which takes a second to load.
import { BbdError } from '../../services/common/dist/errors.js';
import { TransferredResult, serveWorkerTask } from '../../services/common/dist/worker-task.js';

const hoard = [];

serveWorkerTask(async (input, { post, signal }) => {
  switch (input.do) {
    case 'add':
      post({ step: 1 });
      post({ step: 2 });
      return input.a + input.b;
    case 'thread':
      return threadId;
    case 'process':
      return process.pid;
    case 'environment':
      return process.env[input.name];
    case 'fail-here':
      post(threadId || process.pid);
      throw new Error('here');
    case 'hoard':
      hoard.push(new Uint8Array(input.bytes));
      post(threadId);
      return 0;
    case 'priority':
      return getPriority();
    case 'fail':
      throw new BbdError('budget-exhausted', 'no more', { code: 'BUDGET_EXHAUSTED', retryAfterMs: 7 });
    case 'crash':
      setImmediate(() => {
        throw new TypeError('outside the promise');
      });
      return new Promise(() => undefined);
    case 'exit':
      process.exit(3);
      break;
    case 'abort':
      process.abort();
      break;
    case 'interrupt-itself':
      process.kill(process.pid, 'SIGINT');
      process.kill(process.pid, 'SIGTERM');
      // Signals are delivered between turns of the event loop.
      await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
      post('interrupted');
      return 'still here';
    case 'double':
      return new TransferredResult(
        input.values.map((value) => value * 2),
        [],
      );
    case 'make': {
      const values = new Float32Array(input.length).fill(1);
      return new TransferredResult(values, [values.buffer]);
    }
    case 'size':
      return input.buffer.byteLength;
    case 'wait-politely':
      post('waiting');
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      post('cleaned up');
      return 'stopped';
    case 'wait-deafly':
      post('waiting');
      return new Promise(() => setInterval(() => undefined, 1000));
    case 'spin':
      post('waiting');
      for (;;);
    default:
      throw new Error(`nothing to do for ${input.do}`);
  }
});
