import { spawnSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe } from 'vitest';
import { startChild } from './child.js';
import { waitFor } from './wait-for.js';

const FINDER = fileURLToPath(new URL('../../scripts/install-prometheus.mjs', import.meta.url));
const MISSING = 'needs prometheus and promtool: npm run setup:prometheus gets them';
const START_TIMEOUT_MS = 30_000;

const found = spawnSync(process.execPath, [FINDER, '--find'], { encoding: 'utf8' });
const [prometheus, promtool] = found.status === 0 ? found.stdout.trim().split('\n') : [];

/** Like `describe`, for tests that need Prometheus. Where it is missing they are skipped, but in CI they fail. */
export function describeWithPrometheus(name: string, tests: () => void): void {
  const isSkipped = prometheus === undefined && !process.env['CI'];
  describe.skipIf(isSkipped)(isSkipped ? `${name} (${MISSING})` : name, tests);
}

/** Runs promtool. @returns its exit status and all that it said */
export function runPromtool(...words: string[]): { status: number | null; output: string } {
  if (promtool === undefined) throw new Error(`this test ${MISSING}`);
  const { status, stdout, stderr } = spawnSync(promtool, words, { encoding: 'utf8' });
  return { status, output: stdout + stderr };
}

export interface Sample {
  metric: Record<string, string>;
  value: [number, string];
}

export interface RunningPrometheus extends AsyncDisposable {
  /** The samples that a PromQL expression has now. */
  query(expression: string): Promise<Sample[]>;
}

/**
 * A real Prometheus that scrapes these addresses twice a second.
 * @param ruleFiles alert and recording rules to evaluate
 */
export async function startPrometheus(
  folder: string,
  targets: Readonly<Record<string, string>>,
  ruleFiles: readonly string[] = [],
): Promise<RunningPrometheus> {
  if (prometheus === undefined) throw new Error(`this test ${MISSING}`);
  const data = join(folder, 'prometheus');
  await mkdir(data, { recursive: true });
  const config = join(data, 'prometheus.yml');
  await writeFile(
    config,
    JSON.stringify({
      global: { scrape_interval: '500ms', scrape_timeout: '500ms', evaluation_interval: '500ms' },
      rule_files: ruleFiles,
      scrape_configs: Object.entries(targets).map(([job, target]) => ({
        job_name: job,
        static_configs: [{ targets: [target] }],
      })),
    }),
  );
  const address = `127.0.0.1:${await freePort()}`;
  const child = startChild(prometheus, [
    `--config.file=${config}`,
    `--storage.tsdb.path=${join(data, 'tsdb')}`,
    `--web.listen-address=${address}`,
  ]);
  await waitFor(
    'Prometheus to be ready',
    () =>
      fetch(`http://${address}/-/ready`).then(
        ({ ok }) => ok,
        () => false,
      ),
    START_TIMEOUT_MS,
  );
  return {
    async query(expression) {
      const response = await fetch(`http://${address}/api/v1/query?query=${encodeURIComponent(expression)}`);
      const body = (await response.json()) as { status: string; error?: string; data: { result: Sample[] } };
      if (body.status !== 'success') throw new Error(`Prometheus refuses ${expression}: ${body.error}`);
      return body.data.result;
    },
    async [Symbol.asyncDispose]() {
      await child[Symbol.asyncDispose]();
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
