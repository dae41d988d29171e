import { createConnection, createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { connect } from '@bbdistill/common';
import type { ServiceClient } from '@bbdistill/common';
import { startChild } from './child.js';
import type { Child } from './child.js';

const SCRIPT = fileURLToPath(new URL('../fixtures/teachers/replica-process.mjs', import.meta.url));

/** A small TCP relay in front of a server, whose connections can be cut. */
export class Relay implements AsyncDisposable {
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;
  #isCut = false;
  port = 0;

  constructor(private readonly toPort: number) {}

  async start(): Promise<void> {
    const server = (this.#server = createServer({ noDelay: true }, (from) => {
      if (this.#isCut) return void from.destroy();
      const to = createConnection({ port: this.toPort, host: '127.0.0.1', noDelay: true });
      for (const [one, other] of [
        [from, to],
        [to, from],
      ] as const) {
        this.#sockets.add(one);
        one.on('error', () => other.destroy());
        one.on('close', () => {
          this.#sockets.delete(one);
          other.destroy();
        });
        one.pipe(other);
      }
    }));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    this.port = (server.address() as { port: number }).port;
  }

  cut(): void {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  mend(): void {
    this.#isCut = false;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    await new Promise<void>((resolve) => (this.#server ? this.#server.close(() => resolve()) : resolve()));
  }
}

export interface ReplicaOptions {
  natsPort: number;
  namespace: string;
  folder: string;
  /** Of the registered teacher, called `metered`. */
  teacher: object;
  callConcurrency?: number;
  patienceMs?: number;
  /** Of its log; default: it is silent. */
  logLevel?: 'warn';
}

/** A replica of the teacher-proxy as a process of its own, which reaches NATS through a relay. */
export class Replica implements AsyncDisposable {
  child!: Child;
  client!: ServiceClient<'bbdistill.v1.TeacherService'>;
  readonly relay: Relay;
  /** Of the processes that have ended. */
  readonly #said: string[] = [];

  private constructor(
    readonly name: string,
    private readonly options: ReplicaOptions,
  ) {
    this.relay = new Relay(options.natsPort);
  }

  static async start(name: string, options: ReplicaOptions): Promise<Replica> {
    const replica = new Replica(name, options);
    await replica.relay.start();
    await replica.start();
    return replica;
  }

  /** What its processes have logged so far, line by line. */
  get said(): readonly string[] {
    return [...this.#said, ...this.child.errorOutput().split('\n')];
  }

  /** Starts the process, also after it was killed. */
  async start(): Promise<void> {
    const { natsPort: _natsPort, folder, ...rest } = this.options;
    const settings = { ...rest, nats: `nats://127.0.0.1:${this.relay.port}`, folder: join(folder, this.name) };
    if (this.child as Child | undefined) this.#said.push(...this.child.errorOutput().split('\n'));
    this.child = startChild(process.execPath, [SCRIPT, JSON.stringify(settings)]);
    const [, address] = await this.child.line(/^listening "(.*)"$/, 60_000);
    this.client = connect('bbdistill.v1.TeacherService', address!);
  }

  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.child.ended;
    this.client.close();
  }

  /** Lets it end by itself. */
  async stop(): Promise<void> {
    this.client.close();
    this.child.kill('SIGTERM');
    await this.child.ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.client.close();
    await this.child[Symbol.asyncDispose]();
    await this.relay[Symbol.asyncDispose]();
  }
}

export const IMAGE_SHAPE = { height: 8, width: 8, channels: 1 } as const;

/** Images from a number on, no two alike. */
export function numberedPixels(start: number, count: number): Buffer {
  const size = IMAGE_SHAPE.height * IMAGE_SHAPE.width;
  const pixels = Buffer.alloc(count * size);
  for (let image = 0; image < count; image++) {
    pixels.writeUInt32LE(start + image, image * size);
    pixels.fill((start + image) % 251, image * size + 4, (image + 1) * size);
  }
  return pixels;
}

export interface ShardRequest {
  run: string;
  start: number;
  count: number;
  budgetImages?: number;
}

/** Labels one shard by one replica. @returns how many of its images were answered */
export async function labelShard(replica: Replica, { run, start, count, budgetImages }: ShardRequest): Promise<number> {
  const request = {
    runId: run,
    teacher: 'metered',
    phase: 'PHASE_MIXUP' as const,
    classes: 4,
    shape: IMAGE_SHAPE,
    pixels: numberedPixels(start, count),
    ...(budgetImages !== undefined && { budget: { images: budgetImages } }),
  };
  let answered = 0;
  const requests = (async function* () {
    yield await Promise.resolve(request);
  })();
  for await (const response of replica.client.bidi('Label', requests)) {
    answered += response.answered.filter(Boolean).length;
  }
  return answered;
}
