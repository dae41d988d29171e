import { connect as connectTcp } from 'node:net';
import * as grpc from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RandomStream, bearerToken, connect, implementService, silentLogger, startGrpcServer } from '@bbdistill/common';
import type { RunSpec } from '@bbdistill/common/gen/bbdistill/v1/RunSpec.js';
import { parseTeacherConfig, startTeacherProxy } from '@bbdistill/teacher-proxy';
import type { RunningTeacherProxy } from '@bbdistill/teacher-proxy';
import { startOrchestrator } from '@bbdistill/orchestrator';
import type { RunningOrchestrator } from '@bbdistill/orchestrator';
import { startStudentTrainer } from '@bbdistill/student-trainer';
import { startSynthesis } from '@bbdistill/synthesis';
import { uploadImages } from '@bbdistill/client';
import { packageDefinition } from '../../services/common/src/grpc/proto.js';
import { aSpec } from '../../services/orchestrator/src/testing/specs.js';
import { handlersOf } from '../helpers/grpc.js';
import { temporaryStores } from '../helpers/embedded.js';
import type { TemporaryStores } from '../helpers/embedded.js';
import { tinyImages } from '../helpers/tiny-images.js';
import { waitFor } from '../helpers/wait-for.js';

/** All of them take minutes: `BBDISTILL_LONG_TESTS=1` sends ten thousand. */
const PAYLOADS = process.env['BBDISTILL_LONG_TESTS'] ? 10_000 : 2_000;
const IN_FLIGHT = 64;
const CLASSES = 4;
const TOKEN = 'a token of the test';
/** What a service may answer to rubbish. INTERNAL, UNKNOWN and DATA_LOSS would be faults of its own. */
const FINE = new Set([
  grpc.status.OK,
  grpc.status.INVALID_ARGUMENT,
  grpc.status.NOT_FOUND,
  grpc.status.FAILED_PRECONDITION,
  grpc.status.ALREADY_EXISTS,
  grpc.status.RESOURCE_EXHAUSTED,
  grpc.status.UNIMPLEMENTED,
  grpc.status.DEADLINE_EXCEEDED,
]);

interface Method {
  path: string;
  requestStream: boolean;
  responseStream: boolean;
}

let stores: TemporaryStores;
let proxy: RunningTeacherProxy;
let orchestrator: RunningOrchestrator;
const running: { stop(): Promise<void> }[] = [];
/** Address by the start of a method's path. */
const addresses = new Map<string, string>();
const internal: object[] = [];
const logger = { ...silentLogger, error: (fields: object) => void internal.push(fields) };

beforeAll(async () => {
  stores = await temporaryStores();
  const base = { stores: stores.stores, address: '127.0.0.1:0', auth: bearerToken(TOKEN), logger };
  proxy = await startTeacherProxy({
    ...base,
    stateFolder: stores.folder,
    teachers: [parseTeacherConfig('fake', { adapter: 'fake', fake: { classes: CLASSES } })],
  });
  const synthesis = await startSynthesis({ ...base, engine: 'wasm', gpu: 'never' });
  const trainer = await startStudentTrainer({ ...base, engine: 'wasm', gpu: 'never' });
  orchestrator = await startOrchestrator({ ...base, teacherProxyAddress: proxy.address, teacherProxyToken: TOKEN });
  running.push(orchestrator, trainer, synthesis, proxy);
  addresses.set('/bbdistill.v1.DistillationService/', orchestrator.address);
  addresses.set('/bbdistill.v1.TeacherService/', proxy.address);
  addresses.set('/bbdistill.v1.SynthesisService/', synthesis.address);
  addresses.set('/bbdistill.v1.StudentTrainerService/', trainer.address);
});
afterAll(async () => {
  for (const service of running) await service.stop();
  await stores[Symbol.asyncDispose]();
});

const methods = (): Method[] =>
  [...addresses.keys()].flatMap((prefix) => {
    const service = packageDefinition()[prefix.slice(1, -1)] as unknown as Record<string, Method>;
    return Object.values(service);
  });

/** Bytes that are rubbish, or nearly a message: tags of real field numbers with lengths and values that needn't fit. */
function payload(random: RandomStream): Buffer {
  const size = Math.floor(random.between(0, 200));
  const bytes = Buffer.from(Array.from({ length: size }, () => Math.floor(random.between(0, 256))));
  if (random.between(0, 1) < 0.3) return bytes;
  const parts: Buffer[] = [];
  const fields = 1 + Math.floor(random.between(0, 6));
  for (let n = 0; n < fields; n++) {
    const field = 1 + Math.floor(random.between(0, 13));
    const wireType = [0, 1, 2, 2, 2, 5][Math.floor(random.between(0, 6))]!;
    const tag = Buffer.from([(field << 3) | wireType]);
    const some = bytes.subarray(0, Math.floor(random.between(0, 40)));
    if (wireType === 2) parts.push(tag, Buffer.from([some.length]), some);
    else if (wireType === 0) parts.push(tag, Buffer.from([Math.floor(random.between(0, 128))]));
    else parts.push(tag, Buffer.alloc(wireType === 1 ? 8 : 4, Math.floor(random.between(0, 256))));
  }
  return Buffer.concat(parts);
}

function statusOf(
  client: grpc.Client,
  { path, requestStream, responseStream }: Method,
  bytes: Buffer,
): Promise<grpc.status> {
  const metadata = new grpc.Metadata();
  metadata.set('authorization', `Bearer ${TOKEN}`);
  const options = { deadline: Date.now() + 20_000 };
  const raw = (value: Buffer) => value;
  return new Promise((resolve) => {
    const answered = (error: grpc.ServiceError | null) => resolve(error?.code ?? grpc.status.OK);
    const follow = (call: grpc.ClientReadableStream<Buffer> | grpc.ClientDuplexStream<Buffer, Buffer>) => {
      call.on('data', () => undefined);
      call.on('error', () => undefined);
      call.on('status', ({ code }: grpc.StatusObject) => resolve(code));
      return call;
    };
    if (!requestStream && !responseStream) {
      client.makeUnaryRequest(path, raw, raw, bytes, metadata, options, answered);
    } else if (!requestStream) {
      follow(client.makeServerStreamRequest(path, raw, raw, bytes, metadata, options));
    } else if (!responseStream) {
      client.makeClientStreamRequest(path, raw, raw, metadata, options, answered).end(bytes);
    } else {
      const call = client.makeBidiStreamRequest(path, raw, raw, metadata, options);
      follow(call);
      call.end(bytes);
    }
  });
}

describe('bad clients', () => {
  it('bad clients - random payloads over every method: no crash, no fault of ours, nothing lost', async () => {
    const client = connect('bbdistill.v1.DistillationService', orchestrator.address, { token: TOKEN });
    const images = await uploadImages(client, { images: { ...tinyImages(40, CLASSES, 1), count: 40 } });
    const random = new RandomStream(1, 'payloads');
    const clients = new Map(
      [...addresses].map(([prefix, address]) => [prefix, new grpc.Client(address, grpc.credentials.createInsecure())]),
    );
    const all = methods();
    const odd = new Map<string, number>();
    let sent = 0;
    const lane = async () => {
      while (sent < PAYLOADS) {
        const method = all[sent++ % all.length]!;
        const of = [...clients].find(([prefix]) => method.path.startsWith(prefix))![1];
        const code = await statusOf(of, method, payload(random));
        // grpc-js itself answers INTERNAL to bytes that are no message of the method.
        if (FINE.has(code) || code === grpc.status.INTERNAL) continue;
        const what = `${method.path} ${grpc.status[code]}`;
        odd.set(what, (odd.get(what) ?? 0) + 1);
      }
    };
    await Promise.all(Array.from({ length: IN_FLIGHT }, lane));
    for (const each of clients.values()) each.close();
    expect(sent).toBeGreaterThanOrEqual(PAYLOADS);
    expect([...odd]).toEqual([]);
    // No handler met anything that it had not thought of.
    expect(internal).toEqual([]);

    const base = aSpec({ images: images.id, test: '', classes: CLASSES, engine: 'wasm' });
    const spec: RunSpec = { ...base, student: { ...base.student, recipe: { ...base.student.recipe, epochs: 1 } } };
    const plan = await client.unary('PlanRun', { spec });
    expect(plan.images).toBe(40 + base.synthesis.images);
    client.close();
  }, 240_000);

  it('bad clients - a request id that is replayed with another spec, and names like paths, are refused', async () => {
    const client = connect('bbdistill.v1.DistillationService', orchestrator.address, { token: TOKEN });
    const images = await uploadImages(client, { images: { ...tinyImages(40, CLASSES, 2), count: 40 } });
    const base = aSpec({ images: images.id, test: '', classes: CLASSES, engine: 'wasm' });
    const spec: RunSpec = { ...base, synthesis: { ...base.synthesis, images: 0 } };
    const run = await client.unary('CreateRun', { requestId: 'replayed', spec });
    expect((await client.unary('CreateRun', { requestId: 'replayed', spec })).id).toBe(run.id);
    const other = client.unary('CreateRun', { requestId: 'replayed', spec: { ...spec, seed: 2 } });
    await expect(other).rejects.toMatchObject({ kind: 'already-exists' });
    const paths = ['../../etc/passwd', '/etc/passwd', '..', 'a/../../b', 'C:\\\\windows', '%2e%2e%2f', 'x\u0000y', ''];
    for (const path of paths) {
      const read = async () => {
        for await (const piece of client.serverStream('DownloadArtifact', { runId: run.id, path })) void piece;
      };
      await expect(read(), path).rejects.toMatchObject({ kind: 'not-found' });
      await expect(client.unary('GetRun', { runId: path }), path).rejects.toMatchObject({
        kind: expect.stringMatching(/^(not-found|invalid-argument)$/) as unknown,
      });
      await expect(client.unary('CreateRun', { requestId: `${path} x`, spec }), path).rejects.toMatchObject({
        kind: 'invalid-argument',
      });
      await expect(client.unary('PlanRun', { spec: { ...spec, images: path } }), path).rejects.toMatchObject({
        kind: expect.stringMatching(/^(not-found|invalid-argument)$/) as unknown,
      });
      await expect(client.unary('PlanRun', { spec: { ...spec, teacher: path } }), path).rejects.toMatchObject({
        kind: expect.stringMatching(/^(not-found|invalid-argument)$/) as unknown,
      });
    }
    await client.unary('CancelRun', { runId: run.id });
    client.close();
  });

  it('bad clients - messages that are too large, and uploads that are cut off, leave nothing behind', async () => {
    const client = connect('bbdistill.v1.DistillationService', orchestrator.address, { token: TOKEN });
    const large = client.unary('CreateRun', { requestId: 'x'.repeat(5 * 1024 * 1024) });
    await expect(large).rejects.toMatchObject({ kind: 'resource-exhausted' });
    const shape = { height: 8, width: 8, channels: 1 };
    async function* truncated() {
      yield { header: { shape } };
      yield { pixels: Buffer.alloc(8 * 8 * 3 - 1) };
    }
    await expect(client.clientStream('UploadImages', truncated())).rejects.toMatchObject({ kind: 'invalid-argument' });
    async function* headless() {
      yield { pixels: Buffer.alloc(64) };
    }
    await expect(client.clientStream('UploadImages', headless())).rejects.toMatchObject({ kind: 'invalid-argument' });
    async function* huge() {
      yield { header: { shape: { height: 2 ** 31, width: 2 ** 31, channels: 3 } } };
    }
    await expect(client.clientStream('UploadImages', huge())).rejects.toMatchObject({ kind: 'invalid-argument' });
    client.close();
  });

  it('bad clients - whoever speaks no HTTP/2, or stops in the middle of it, takes nothing from the others', async () => {
    const [host = '', port = ''] = orchestrator.address.split(':');
    const rude = ['GET / HTTP/1.1\r\n\r\n', '\u0000'.repeat(1_000), 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', ''];
    const sockets = Array.from({ length: 40 }, (_, n) => {
      const socket = connectTcp(Number(port), host, () => socket.write(rude[n % rude.length]!));
      socket.on('error', () => undefined);
      return socket;
    });
    const client = connect('bbdistill.v1.DistillationService', orchestrator.address, { token: TOKEN });
    for (let n = 0; n < 20; n++) await client.unary('ListRuns', { limit: 1 });
    for (const socket of sockets) socket.destroy();
    client.close();
  });

  it('bad clients - one that never reads does not make the server hold what it is to send', async () => {
    let made = 0;
    const server = await startGrpcServer({
      address: '127.0.0.1:0',
      services: [
        implementService(
          'bbdistill.v1.DistillationService',
          handlersOf<'bbdistill.v1.DistillationService'>({
            async *DownloadArtifact() {
              for (; made < 10_000; made++) yield { data: Buffer.alloc(256 * 1024) };
            },
          }),
        ),
      ],
      logger: silentLogger,
    });
    const client = connect('bbdistill.v1.DistillationService', server.address);
    const stream = client.serverStream('DownloadArtifact', {})[Symbol.asyncIterator]();
    await stream.next();
    let before = -1;
    await waitFor('the server to stand still', async () => {
      if (before === made) return true;
      before = made;
      await new Promise((resolve) => setTimeout(resolve, 100));
      return false;
    });
    expect(made).toBeLessThan(1_000);
    await stream.return?.();
    client.close();
    await server.drain(50);
  });
});
