import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { connect } from '@bbdistill/common';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { startChild } from '../helpers/child.js';
import { healthOf } from '../helpers/health.js';
import { runCli } from '../helpers/run-cli.js';
import { temporaryFolder } from '../helpers/temporary-folder.js';

/** Starting a process takes a while where the machine has other work. */
const START_TIMEOUT_MS = 30_000;
const TOKEN = 'a-token-that-nobody-guesses';

const SERVICES = [
  {
    name: 'orchestrator',
    grpc: 'bbdistill.v1.DistillationService',
    stopBy: 'SIGTERM',
    ask: (address: string, token?: string) =>
      asked(connect('bbdistill.v1.DistillationService', address, token ? { token } : {}), (client) =>
        client.unary('ListRuns', {}),
      ),
  },
  {
    name: 'teacher-proxy',
    grpc: 'bbdistill.v1.TeacherService',
    stopBy: 'SIGINT',
    ask: (address: string, token?: string) =>
      asked(connect('bbdistill.v1.TeacherService', address, token ? { token } : {}), (client) =>
        client.unary('ListTeachers', {}),
      ),
  },
  {
    name: 'synthesis',
    grpc: 'bbdistill.v1.SynthesisService',
    stopBy: 'SIGTERM',
    ask: (address: string, token?: string) =>
      asked(connect('bbdistill.v1.SynthesisService', address, token ? { token } : {}), (client) =>
        client.unary('Describe', {}),
      ),
  },
  {
    name: 'student-trainer',
    grpc: 'bbdistill.v1.StudentTrainerService',
    stopBy: 'SIGTERM',
    ask: (address: string, token?: string) =>
      asked(connect('bbdistill.v1.StudentTrainerService', address, token ? { token } : {}), (client) =>
        client.unary('Describe', {}),
      ),
  },
] as const;

async function asked<Client extends { close(): void }>(
  client: Client,
  question: (client: Client) => Promise<unknown>,
): Promise<unknown> {
  try {
    return await question(client);
  } finally {
    client.close();
  }
}

const mainOf = (service: string) => fileURLToPath(new URL(`../../services/${service}/dist/main.js`, import.meta.url));

describe('a service as a process of its own', () => {
  it.each(SERVICES)(
    'serve - $name says its address, is healthy, wants the token and stops in order on $stopBy',
    async ({ name, grpc, ask, stopBy }) => {
      await using folder = await temporaryFolder();
      const tokenFile = join(folder.path, 'token');
      await writeFile(tokenFile, `${TOKEN}\n`);
      const args = ['--listen', '127.0.0.1:0', '--state', join(folder.path, 'state')];
      await using child = startChild(process.execPath, [mainOf(name), ...args], {
        env: { BBDISTILL_TOKEN_FILE: tokenFile },
      });
      const [, address] = await child.line(
        new RegExp(`^${name} listening on (127\\.0\\.0\\.1:\\d+)$`),
        START_TIMEOUT_MS,
      );
      expect(await healthOf(address!, grpc)).toBe('SERVING');
      await expect(ask(address!)).rejects.toMatchObject({ kind: 'unauthenticated' });
      await expect(ask(address!, 'another')).rejects.toMatchObject({ kind: 'unauthenticated' });
      expect(await ask(address!, TOKEN)).toBeTypeOf('object');
      child.kill(stopBy);
      expect(await child.ended).toBe(0);
      expect(child.errorOutput()).toContain('"msg":"stopped"');
      expect(child.errorOutput()).not.toContain(TOKEN);
    },
  );

  it('serve - a process with wrong settings ends with 2 and opens no state folder', async () => {
    await using folder = await temporaryFolder();
    await using child = startChild(process.execPath, [mainOf('synthesis'), '--listen', '0.0.0.0:0'], {
      cwd: folder.path,
    });
    expect(await child.ended).toBe(2);
    expect(child.errorOutput()).toMatch(/listen is 0\.0\.0\.0:0.*token.*allowInsecure/);
    expect(child.lines).toEqual([]);
    expect(await readdir(folder.path)).toEqual([]);
  });

  it('serve - a taken port ends the process with 5 and names the address', async () => {
    await using folder = await temporaryFolder();
    const start = (state: string, listen: string) =>
      startChild(process.execPath, [
        mainOf('teacher-proxy'),
        '--json',
        `--listen=${listen}`,
        `--state=${join(folder.path, state)}`,
      ]);
    await using first = start('one', '127.0.0.1:0');
    const [line] = await first.line(/^\{.*\}$/, START_TIMEOUT_MS);
    const { service, address } = JSON.parse(line) as { service: string; address: string };
    expect(service).toBe('teacher-proxy');
    await using second = start('two', address);
    expect(await second.ended).toBe(5);
    expect(second.errorOutput()).toContain(`cannot listen on ${address}`);
    expect(JSON.parse(second.lines[0]!)).toMatchObject({ error: { code: 'ADDRESS_IN_USE' } });
  });
});

describe('serve and check-config', () => {
  afterEach(() => vi.unstubAllEnvs());

  const refused = async (...argv: string[]) => {
    const { exitCode, stderr } = await runCli(...argv);
    expect(exitCode).toBe(2);
    return stderr;
  };

  it.each(['all', ...SERVICES.map(({ name }) => name)])(
    'serve - %s refuses to listen beyond this machine without a token, naming both settings',
    async (service) => {
      const stderr = await refused('serve', service, '--listen', '0.0.0.0:0');
      expect(stderr).toMatch(/listen is 0\.0\.0\.0:0.*set token \(BBDISTILL_TOKEN.*allowInsecure/);
    },
  );

  it.each(['--allowInsecure', '--allowInsecure=true'])('check-config - %s lets it listen everywhere', async (flag) => {
    const { exitCode, stdout } = await runCli(
      ...['check-config', '--service', 'synthesis', '--listen', '0.0.0.0:0', flag, '--json'],
    );
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ settings: { listen: '0.0.0.0:0', allowInsecure: true } });
  });

  it('serve - an unknown flag is refused with the nearest one', async () => {
    expect(await refused('serve', 'student-trainer', '--chekpointIntervalMs', '5')).toMatch(
      /no flag --chekpointIntervalMs: did you mean checkpointIntervalMs\?/,
    );
  });

  it('serve - an unknown service is refused with the nearest one', async () => {
    expect(await refused('serve', 'orchestrater')).toMatch(/no service "orchestrater".*Did you mean "orchestrator"\?/);
  });

  it.each([
    ['a word that belongs to no flag', ['listen'], /"listen" belongs to no flag/],
    ['a flag given twice', ['--gpu', 'never', '--gpu', 'required'], /--gpu is given twice/],
    ['a flag without its value', ['--listen'], /listen \(--listen\) must be host:port, not true/],
    ['a name of every object', ['--constructor', 'x'], /no flag --constructor/],
    ['a secret as a flag', ['--token', 'hush'], /token is a secret: set it in BBDISTILL_TOKEN/],
  ])('serve - %s is refused', async (_what, argv, message) => {
    const stderr = await refused('serve', 'synthesis', ...argv);
    expect(stderr).toMatch(message);
    expect(stderr).not.toContain('hush');
  });

  it.each([
    ['wasm', 'required'],
    ['native', 'required'],
    ['webgpu', 'never'],
  ])('check-config - engine %s and gpu %s contradict each other', async (engine, gpu) => {
    expect(await refused('check-config', '--service', 'synthesis', '--engine', engine, '--gpu', gpu)).toContain(
      `engine ${engine} and gpu ${gpu} contradict each other`,
    );
  });

  it('check-config - the orchestrator and its teacher-proxy can not have one address', async () => {
    const argv = ['--listen', '127.0.0.1:9', '--teacherProxyAddress', '127.0.0.1:9'];
    expect(await refused('check-config', '--service', 'orchestrator', ...argv)).toMatch(
      /listen and teacherProxyAddress are both 127\.0\.0\.1:9/,
    );
    expect(await refused('check-config', '--service', 'orchestrator', '--teacherProxyAddress', 'host:0')).toMatch(
      /teacherProxyAddress .*port above 0/,
    );
  });

  it('check-config - lists the faults of flags, environment and teachers file at once', async () => {
    await using folder = await temporaryFolder();
    const file = join(folder.path, 'teachers.yaml');
    await writeFile(file, 'teachers: { a: { adapter: fake, fake: { clases: 3 } }, b: { adapter: onnx } }');
    vi.stubEnv('BBDISTILL_LOG_LEVEL', 'loud');
    vi.stubEnv('BBDISTILL_JOB_CONCURRENCY', '0');
    const stderr = await refused('check-config', '--service', 'teacher-proxy', '--listen', 'here', '--teachers', file);
    for (const fault of [
      '4 settings are wrong',
      'listen (--listen) must be host:port, not "here"',
      'logLevel (BBDISTILL_LOG_LEVEL) must be one of debug',
      'jobConcurrency (BBDISTILL_JOB_CONCURRENCY) must be a whole number from 1 to 256, not "0"',
      'teachers.a.fake.clases is not known. Did you mean "classes"?',
      'teachers.b.path is missing',
    ]) {
      expect(stderr).toContain(fault);
    }
  });

  it.each([
    ['a teachers file that is not there', undefined, /must name a file that can be read/],
    ['a teachers file that is no YAML', 'teachers: [', /must name a YAML file/],
    ['a file without teachers', 'run: {}', /teachers: block, and .* has none/],
    ['a file with a misspelt block', 'teachers: {}\nruns: {}', /no block runs: did you mean run\?/],
  ])('check-config - %s is refused', async (_what, content, message) => {
    await using folder = await temporaryFolder();
    const file = join(folder.path, 'teachers.yaml');
    if (content !== undefined) await writeFile(file, content);
    expect(await refused('check-config', '--service', 'teacher-proxy', '--teachers', file)).toMatch(message);
  });

  it('check-config - shows every setting and whether a secret is set, but not the secret', async () => {
    vi.stubEnv('BBDISTILL_TOKEN', TOKEN);
    const { exitCode, stdout } = await runCli('check-config', '--service', 'orchestrator', '--logLevel', 'debug');
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^logLevel +BBDISTILL_LOG_LEVEL +debug /m);
    expect(stdout).toMatch(/^token +BBDISTILL_TOKEN +\[redacted\] /m);
    expect(stdout).toMatch(/^teacherProxyToken +BBDISTILL_TEACHER_PROXY_TOKEN +\(not set\) /m);
    expect(stdout).not.toContain(TOKEN);
  });

  it('check-config - wants a file or a service', async () => {
    expect(await refused('check-config')).toMatch(/name a YAML file, or a service with --service/);
    expect(await refused('check-config', 'run.yaml', '--listen', 'x')).toMatch(/no place for --listen/);
  });

  it('serve - --help of a service lists its settings with their defaults', async () => {
    const { exitCode, stdout } = await runCli('serve', 'student-trainer', '--help');
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^checkpointIntervalMs +BBDISTILL_CHECKPOINT_INTERVAL_MS +30000 ms /m);
    expect(stdout).toContain('NATS_URL');
  });
});
