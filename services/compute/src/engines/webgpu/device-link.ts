import { once } from 'node:events';
import { MessageChannel, Worker, receiveMessageOnPort } from 'node:worker_threads';
import type { MessagePort } from 'node:worker_threads';
import { BbdError, builtScript } from '@bbdistill/common/base';
import { received } from '../../sent-failure.js';
import type { AdapterFacts, DeviceAnswer, DeviceRequest, DeviceThreadData } from './messages.js';
import type { WebgpuPackages } from './packages.js';

const SCRIPT = new URL('./device-thread.ts', import.meta.url);

/** A first step compiles every shader; on a software driver that takes a minute. */
const CALL_DEADLINE_MS = 10 * 60 * 1000;

/** The thread that owns the device, for one that blocks until it has answered. */
export class DeviceLink {
  /** That were waited for; the first is of the start. */
  #answered = 1;

  private constructor(
    private readonly port: MessagePort,
    private readonly answers: Int32Array,
    readonly adapter: AdapterFacts,
  ) {}

  /** @throws BbdError why it can't start */
  static async open(packages: WebgpuPackages): Promise<DeviceLink> {
    const { port1: port, port2 } = new MessageChannel();
    const answers = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
    const workerData: DeviceThreadData = { packages, port: port2, answers };
    const thread = new Worker(builtScript(SCRIPT), { workerData, transferList: [port2] });
    const lost = once(thread, 'exit').then(([code]) => {
      throw deviceLost(`ended with exit code ${String(code)}`);
    });
    lost.catch(() => undefined);
    const started = once(port, 'message').then(([answer]) => resultOf(answer as DeviceAnswer) as AdapterFacts);
    try {
      const adapter = await Promise.race([started, lost]);
      // Neither keeps a process alive that has nothing else to do.
      thread.unref();
      port.unref();
      thread.on('error', () => undefined);
      return new DeviceLink(port, new Int32Array(answers), adapter);
    } catch (thrown) {
      await thread.terminate();
      throw thrown;
    }
  }

  /** Blocks. @throws BbdError as the device's thread threw it */
  call<T>(request: DeviceRequest): T {
    this.port.postMessage(request);
    const wanted = ++this.#answered;
    for (let now = Atomics.load(this.answers, 0); now < wanted; now = Atomics.load(this.answers, 0)) {
      if (Atomics.wait(this.answers, 0, now, CALL_DEADLINE_MS) === 'timed-out') {
        throw deviceLost(`did not answer within ${CALL_DEADLINE_MS / 1000} s`);
      }
    }
    const got = receiveMessageOnPort(this.port) as { message: DeviceAnswer } | undefined;
    if (!got) throw deviceLost('answered without a word');
    return resultOf(got.message) as T;
  }
}

function resultOf(answer: DeviceAnswer): unknown {
  if ('failure' in answer) throw received(answer.failure);
  return answer.result;
}

function deviceLost(how: string): BbdError {
  return new BbdError('internal', `the thread of the GPU ${how}; resume the run`, {
    code: 'GPU_LOST',
    retryable: true,
  });
}
