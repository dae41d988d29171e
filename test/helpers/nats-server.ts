import { spawnSync } from 'node:child_process';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe } from 'vitest';
import { startChild } from './child.js';
import type { Child } from './child.js';
import { temporaryFolder } from './temporary-folder.js';
import { waitFor } from './wait-for.js';

export interface NatsServer extends AsyncDisposable {
  /** `nats://127.0.0.1:PORT`; the same after a restart. */
  readonly url: string;
  readonly port: number;
  /** Ends it with SIGKILL. */
  kill(): Promise<void>;
  /** Starts it again on the same port and folder. */
  start(): Promise<void>;
}

const FINDER = fileURLToPath(new URL('../../scripts/install-nats-server.mjs', import.meta.url));
const START_TIMEOUT_MS = 20_000;
const MISSING = 'needs nats-server: npm run setup:nats gets it';

const found = spawnSync(process.execPath, [FINDER, '--find'], { encoding: 'utf8' });
const program = found.status === 0 ? found.stdout.trim() : undefined;

/** Like `describe`, for tests that need nats-server. Where it is missing they are skipped, but in CI they fail. */
export function describeWithNats(name: string, tests: () => void): void {
  const isSkipped = program === undefined && !process.env['CI'];
  describe.skipIf(isSkipped)(isSkipped ? `${name} (${MISSING})` : name, tests);
}

/** @throws Error where nats-server is missing */
export function natsServerProgram(): string {
  if (program === undefined) throw new Error(`this test ${MISSING}`);
  return program;
}

/** Arguments of a server that has each message on the disk before it acknowledges it, as those that users start. */
export const DURABLE_NATS = ['-c', fileURLToPath(new URL('../../deploy/nats.conf', import.meta.url))];

/** A real nats-server with JetStream in a temporary folder, on loopback and a port of its own. */
export async function startNatsServer(extraArguments: readonly string[] = []): Promise<NatsServer> {
  if (program === undefined) throw new Error(`this test ${MISSING}`);
  const folder = await temporaryFolder();
  let child: Child | undefined;
  let port = -1;

  const start = async () => {
    const args = ['-a', '127.0.0.1', '-p', String(port), '-js', '-sd', folder.path, '--ports_file_dir', folder.path];
    const started = startChild(program, [...args, ...extraArguments]);
    child = started;
    let ended = false;
    void started.ended.finally(() => (ended = true));
    const portsFile = await waitFor(
      'nats-server',
      async () => {
        if (ended) throw new Error(`nats-server ended: ${started.errorOutput()}`);
        return (await readdir(folder.path)).find((name) => name.endsWith(`_${started.process.pid}.ports`));
      },
      START_TIMEOUT_MS,
    );
    const ports = await waitFor('the ports file', async () => {
      const text = await readFile(join(folder.path, portsFile), 'utf8');
      return text.trimEnd().endsWith('}') && (JSON.parse(text) as { nats: string[] });
    });
    port = Number(new URL(ports.nats[0]!).port);
  };

  await start();
  return {
    url: `nats://127.0.0.1:${port}`,
    port,
    async kill() {
      child!.kill('SIGKILL');
      await child!.ended;
    },
    start,
    async [Symbol.asyncDispose]() {
      await child?.[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}
