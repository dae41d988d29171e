// From raw images to a trained student, by the orchestrator's API and nothing else of this project than proto/:
//   npx tsx deploy/examples/api/run.ts HOST:PORT spec.json images.bin 28x28x1 student.onnx
// Set "teacher" in spec.json to one that is registered at the orchestrator first, and "classes" to what it knows.
// images.bin: whole images one after the other, uint8, NHWC. The bearer token comes from BBDISTILL_TOKEN.
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as grpc from '@grpc/grpc-js';
import * as protoLoader from '@grpc/proto-loader';

const PIECE_BYTES = 2 * 1024 * 1024;
const proto = fileURLToPath(new URL('../../../proto', import.meta.url));
const definition = protoLoader.loadSync('bbdistill/v1/orchestrator.proto', {
  includeDirs: [proto],
  enums: String,
  longs: Number,
  defaults: true,
});
const token = process.env['BBDISTILL_TOKEN'];
// An error is a line: that of a call would bring its metadata and a stack of this file's along.
process.on('uncaughtException', (error) => {
  process.stderr.write(`${lineOf(error)}\n`);
  process.exit(1);
});
const { path, ...files } = readArguments();

type Message = Record<string, unknown>;
type Unary = (request: Message, metadata: grpc.Metadata, done: (error: Error | null, reply: Message) => void) => void;
interface Api extends grpc.Client {
  PlanRun: Unary;
  CreateRun: Unary;
  GetRun: Unary;
  UploadImages(
    metadata: grpc.Metadata,
    done: (error: Error | null, reply: Message) => void,
  ): grpc.ClientWritableStream<Message>;
  WatchRun(request: Message, metadata: grpc.Metadata): grpc.ClientReadableStream<Message>;
  DownloadArtifact(request: Message, metadata: grpc.Metadata): grpc.ClientReadableStream<{ data: Buffer }>;
}
const packages = grpc.loadPackageDefinition(definition) as unknown as {
  bbdistill: { v1: { DistillationService: new (address: string, credentials: grpc.ChannelCredentials) => Api } };
};
const api = new packages.bbdistill.v1.DistillationService(path, grpc.credentials.createInsecure());
const metadata = new grpc.Metadata();
if (token !== undefined) metadata.set('authorization', `Bearer ${token}`);
const call = (method: 'PlanRun' | 'CreateRun' | 'GetRun', request: Message) =>
  new Promise<Message>((resolve, reject) =>
    api[method](request, metadata, (error, reply) => (error ? reject(error) : resolve(reply))),
  );

const images = await upload();
const spec = { ...(JSON.parse(readFileSync(files.spec, 'utf8')) as Message), images: images['id'] };
const plan = await call('PlanRun', { spec });
process.stdout.write(`at most ${String(plan['images'])} images in ${String(plan['calls'])} calls\n`);

// The same id again is the same run: this may be repeated after any failure.
const { id } = await call('CreateRun', { requestId: `example-${String(images['id']).slice(0, 16)}`, spec });
for await (const event of api.WatchRun({ runId: id, fromSequence: 1 }, metadata) as AsyncIterable<Message>) {
  const stage = event['stage'] as { name: string; state: string; waitingFor: string } | null;
  if (stage) process.stdout.write(`${stage.name} ${stage.state} ${stage.waitingFor}\n`);
}
// Failures among the events may be of before the run was resumed: how it ended is in its state only.
const run = await call('GetRun', { runId: id });
if (run['state'] !== 'RUN_STATE_SUCCEEDED') {
  const failure = run['failure'] as { message: string } | null;
  throw new Error(`run ${String(id)} is ${String(run['state'])}: ${failure?.message ?? 'nothing failed'}`);
}
const pieces: Buffer[] = [];
const download = api.DownloadArtifact({ runId: id, path: 'student/model.onnx' }, metadata);
for await (const { data } of download as AsyncIterable<{ data: Buffer }>) pieces.push(data);
writeFileSync(files.student, Buffer.concat(pieces));
api.close();

async function upload(): Promise<Message> {
  const [height, width, channels] = files.shape.split('x').map(Number) as [number, number, number];
  const pixels = readFileSync(files.images);
  const imageBytes = height * width * channels;
  const step = Math.max(1, Math.floor(PIECE_BYTES / imageBytes)) * imageBytes;
  let finish: (reply: Message) => void;
  let fail: (error: Error) => void;
  const reply = new Promise<Message>((resolve, reject) => ([finish, fail] = [resolve, reject]));
  const stream = api.UploadImages(metadata, (error, uploaded) => (error ? fail(error) : finish(uploaded)));
  stream.write({ header: { shape: { height, width, channels } } });
  for (let at = 0; at < pixels.length; at += step) {
    if (!stream.write({ pixels: pixels.subarray(at, at + step) })) await Promise.race([once(stream, 'drain'), reply]);
  }
  stream.end();
  return reply;
}

/** E.g. `NOT_FOUND: there is no teacher "metered" (TEACHER_NOT_FOUND)`: which error it is, is told in the metadata. */
function lineOf(error: Error): string {
  if (!('details' in error && 'code' in error && 'metadata' in error)) return error.message;
  const { code, details, metadata: told } = error as grpc.ServiceError;
  const [which] = told.get('bbd-code');
  return `${grpc.status[code]}: ${details}${which === undefined ? '' : ` (${which.toString()})`}`;
}

function readArguments(): { path: string; spec: string; images: string; shape: string; student: string } {
  const [path, spec, images, shape, student] = process.argv.slice(2);
  if (!path || !spec || !images || !shape || !student) {
    throw new Error('usage: run.ts HOST:PORT spec.json images.bin 28x28x1 student.onnx');
  }
  return { path, spec, images, shape, student };
}
