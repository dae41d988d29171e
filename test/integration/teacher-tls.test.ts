import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { FailedPreconditionError, RandomStream, silentLogger, systemClock } from '@bbdistill/common';
import type { ServerTlsFiles } from '@bbdistill/common';
import { EmbeddedAnswerCache, TeacherProxy, parseTeacherConfig } from '@bbdistill/teacher-proxy';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestAuthority } from '../helpers/certificates.js';
import { serve } from '../helpers/grpc.js';
import { MemoryState } from '../helpers/memory-state.js';
import { temporaryFolder } from '../helpers/temporary-folder.js';
import type { TemporaryFolder } from '../helpers/temporary-folder.js';

const CLASSES = 3;
const IMAGES = 4;

let folder: TemporaryFolder;
let authority: TestAuthority;
let stranger: TestAuthority;

beforeAll(async () => {
  folder = await temporaryFolder();
  authority = new TestAuthority(folder.path);
  stranger = new TestAuthority(folder.path, 'stranger');
});

afterAll(() => folder[Symbol.asyncDispose]());

interface TlsTeacher extends AsyncDisposable {
  readonly config: Record<string, unknown>;
  /** Calls that reached it. */
  calls(): number;
}

async function httpsTeacher({ certFile, keyFile, clientCaFile }: ServerTlsFiles): Promise<TlsTeacher> {
  let calls = 0;
  const files = { cert: readFileSync(certFile), key: readFileSync(keyFile) };
  const clients = clientCaFile === undefined ? {} : { ca: readFileSync(clientCaFile), requestCert: true };
  const server = createServer({ ...files, ...clients }, (request, response) => {
    calls++;
    request.resume();
    request.on('end', () => response.end(JSON.stringify([{ label: 'dog', score: 1 }])));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    config: {
      adapter: 'http-json',
      preset: 'label-score',
      url: `https://127.0.0.1:${(server.address() as AddressInfo).port}/models/pets`,
      answer: { labels: ['cat', 'dog', 'bird'] },
    },
    calls: () => calls,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

async function grpcsTeacher(tls: ServerTlsFiles): Promise<TlsTeacher> {
  let calls = 0;
  const served = await serve(
    'inference.GRPCInferenceService',
    {
      ModelMetadata: async () => ({
        name: 'pets',
        inputs: [{ name: 'images', datatype: 'FP32', shape: [-1, 2, 2, 1] }],
        outputs: [{ name: 'scores', datatype: 'FP32', shape: [-1, CLASSES] }],
      }),
      async ModelInfer({ inputs }) {
        calls++;
        const count = inputs[0]!.shape[0]!;
        const fp32Contents = Array.from({ length: count * CLASSES }, (_, at) => (at % CLASSES === 1 ? 1 : 0));
        const output = { name: 'scores', datatype: 'FP32', shape: [count, CLASSES], contents: { fp32Contents } };
        return { modelName: 'pets', outputs: [output] };
      },
    },
    { tls },
    { tls: { caFile: authority.caFile } },
  );
  return {
    config: { adapter: 'open-inference-grpc', url: `grpcs://${served.server.address}`, model: 'pets' },
    calls: () => calls,
    [Symbol.asyncDispose]: () => served[Symbol.asyncDispose](),
  };
}

/** Labels four images by the paid path, and says what it came to. */
async function label(config: Record<string, unknown>) {
  await using state = await temporaryFolder();
  const cache = new EmbeddedAnswerCache(state.path);
  const proxy = new TeacherProxy({
    state: new MemoryState(),
    cache,
    clock: systemClock,
    random: new RandomStream(1, 'tls'),
    env: {},
    holder: 'test',
    soleUser: true,
    marks: undefined,
    logger: silentLogger,
  });
  try {
    // Billed failures: what never left must not be charged even then.
    const price = { perImage: 1, billsFailures: true };
    await proxy.registry.register(parseTeacherConfig('pets', { ...config, price }));
    const shape = { height: 2, width: 2, channels: 1 };
    const images = { count: IMAGES, shape, pixels: Uint8Array.from({ length: IMAGES * 4 }, (_, at) => at) };
    const task = { run: 'run', phase: 'seeds' as const, budget: {}, classes: CLASSES, images };
    const ended = await proxy.label('pets', task).then(
      ({ answers }) => ({ answered: answers.answered.reduce((sum, flag) => sum + flag, 0), error: undefined }),
      (error: unknown) => ({ answered: 0, error }),
    );
    const { facts } = await proxy.describe('pets');
    const [line] = await proxy.usage('pets');
    return { ...ended, facts, costMicros: line?.costMicros ?? 0, billed: line?.counts.billed ?? 0 };
  } finally {
    await proxy.close();
    await cache.close();
  }
}

describe.each([
  ['https', httpsTeacher],
  ['grpcs', grpcsTeacher],
] as const)('a teacher over %s', (protocol, start) => {
  /** What is refused: nothing reached the teacher, nothing was paid, and the message says what to do. */
  async function refused(tls: ServerTlsFiles, client: Record<string, string>, advice: RegExp) {
    await using teacher = await start(tls);
    const found = await label({ ...teacher.config, tls: client });
    expect(found).toMatchObject({ billed: 0, costMicros: 0 });
    const { error } = found;
    if (!(error instanceof FailedPreconditionError)) throw error;
    expect(error.code).toBe('TEACHER_TLS');
    expect(error.message).toMatch(advice);
    expect(teacher.calls()).toBe(0);
  }

  it('is asked where its authority is the one that is named', async () => {
    await using teacher = await start(authority.issue('teacher'));
    const found = await label({ ...teacher.config, tls: { caFile: authority.caFile } });
    expect(found).toMatchObject({ answered: IMAGES, billed: IMAGES });
    expect(teacher.calls()).toBeGreaterThan(0);
  });

  it('gets the certificate that it asks for', async () => {
    const tls = { ...authority.issue('teacher'), clientCaFile: authority.caFile };
    await using teacher = await start(tls);
    const found = await label({ ...teacher.config, tls: { caFile: authority.caFile, ...authority.issue('proxy') } });
    expect(found).toMatchObject({ answered: IMAGES, billed: IMAGES });
  });

  it('is called by the name in its certificate', async () => {
    await using teacher = await start(authority.issue('named', 'named', 'teacher.example'));
    const tls = { caFile: authority.caFile, serverName: 'teacher.example' };
    expect(await label({ ...teacher.config, tls })).toMatchObject({ answered: IMAGES });
  });

  it('is not asked where another authority signed', () =>
    refused(authority.issue('teacher'), { caFile: stranger.caFile }, /set tls\.caFile/));

  it('is not asked where the authority is none that Node knows', () =>
    refused(authority.issue('teacher'), {}, /set tls\.caFile/));

  it('is not asked with a certificate that has expired', () =>
    refused(authority.issueExpired('expired'), { caFile: authority.caFile }, /has expired/));

  it('is not asked under another name than its own', () =>
    refused(
      authority.issue('elsewhere', 'elsewhere', 'elsewhere.example'),
      { caFile: authority.caFile },
      /tls\.serverName/,
    ));

  it('is not asked without the certificate that it wants', async () => {
    const tls = { ...authority.issue('teacher'), clientCaFile: authority.caFile };
    if (protocol === 'grpcs') return refused(tls, { caFile: authority.caFile }, /set tls\.certFile and tls\.keyFile/);
    // Node's own HTTPS server hangs up after the handshake: nobody can tell whether it read the request before.
    await using teacher = await start(tls);
    const found = await label({ ...teacher.config, tls: { caFile: authority.caFile } });
    expect(String(found.error)).toContain('tls.certFile');
    expect(teacher.calls()).toBe(0);
  });
});

it('a teacher without TLS - is named as such', async () => {
  await using plain = await serve('inference.GRPCInferenceService', {});
  const config = { adapter: 'open-inference-http', url: `https://${plain.server.address}`, model: 'pets' };
  expect(await label(config)).toMatchObject({ billed: 0, facts: { ready: false } });
});

it('a file that is not there - is refused by name before anything is asked', async () => {
  const config = {
    adapter: 'open-inference-http',
    url: 'https://127.0.0.1:9',
    model: 'pets',
    tls: { caFile: '/none' },
  };
  const { error } = await label(config);
  expect(error).toMatchObject({ kind: 'invalid-argument' });
  expect(String(error)).toContain('/none');
});
