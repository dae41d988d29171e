import { readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { connect } from '@bbdistill/common';
import { startCli, writeMeteredRun } from '../helpers/cli-process.js';
import { startDistributed } from '../helpers/distributed.js';
import { startMeteredTeacher } from '../helpers/metered-teacher.js';
import { describeWithNats } from '../helpers/nats-server.js';
import { startOtlpReceiver } from '../helpers/otlp-receiver.js';
import type { ReceivedSpan } from '../helpers/otlp-receiver.js';
import { describeWithPrometheus, startPrometheus } from '../helpers/prometheus.js';
import { temporaryFolder } from '../helpers/temporary-folder.js';
import { waitFor } from '../helpers/wait-for.js';

const RUN = { real: 24, synthetic: 60, imagesPerCall: 5, concurrency: 2, epochs: 6 };
const SERVICES = ['orchestrator', 'teacher-proxy', 'synthesis', 'student-trainer'] as const;
/** Each is held by some process of the test, and must be written nowhere. */
const SECRETS = {
  operator: 'pl4nted-operator-token',
  teacher: 'pl4nted-teacher-token',
  collector: 'pl4nted-collector-key',
  stranger: 'pl4nted-wrong-token',
};

async function logOf(folder: string, service: string): Promise<string> {
  return readFile(join(folder, 'logs', `${service}.log`), 'utf8');
}

async function metricsAddressOf(folder: string, service: string): Promise<string> {
  return waitFor(`the metrics address of ${service}`, async () => {
    return /"metricsAddress":"([^"]+)"/.exec(await logOf(folder, service))?.[1];
  });
}

/** Every file below the folder that holds one of the texts, with the text. */
async function filesWith(folder: string, texts: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const bytes = await readFile(path);
    for (const text of texts) if (bytes.includes(text)) found.push(`${path}: ${text}`);
  }
  return found;
}

const childrenOf = (spans: readonly ReceivedSpan[], parent: ReceivedSpan) =>
  spans.filter((span) => span.parentSpanId === parent.spanId);

describeWithNats('telemetry of services as processes', () => {
  describeWithPrometheus('with a real Prometheus', () => {
    it('telemetry - a run is one trace, Prometheus scrapes what it cost, and no secret is left behind', async () => {
      await using folder = await temporaryFolder();
      await using teacher = await startMeteredTeacher({ token: `Bearer ${SECRETS.teacher}` });
      await using receiver = await startOtlpReceiver();
      const out = join(folder.path, 'out');
      await using system = await startDistributed({
        folder: folder.path,
        teacher,
        ...RUN,
        extra: '    auth: { header: Authorization, scheme: Bearer, env: TEACHER_TOKEN }\n',
        env: {
          BBDISTILL_LOG_LEVEL: 'debug',
          BBDISTILL_TOKEN: SECRETS.operator,
          BBDISTILL_TEACHER_PROXY_TOKEN: SECRETS.operator,
          TEACHER_TOKEN: SECRETS.teacher,
          BBDISTILL_METRICS_LISTEN: '127.0.0.1:0',
          OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
          OTEL_EXPORTER_OTLP_HEADERS: `x-api-key=${SECRETS.collector}`,
        },
      });
      const targets = Object.fromEntries(
        await Promise.all(
          SERVICES.map(async (service) => [service, await metricsAddressOf(folder.path, service)] as const),
        ),
      );
      await using prometheus = await startPrometheus(folder.path, targets);

      const stranger = connect('bbdistill.v1.DistillationService', system.address, { token: SECRETS.stranger });
      await expect(stranger.unary('ListRuns', {})).rejects.toMatchObject({ kind: 'unauthenticated' });
      stranger.close();

      const file = join(folder.path, 'remote.yaml');
      const text = await readFile(await writeMeteredRun(folder.path, teacher, RUN), 'utf8');
      await writeFile(file, text.slice(text.indexOf('run:')).replace('run:', 'run:\n  teacher: metered'));
      process.env['TELEMETRY_TEST_TOKEN'] = SECRETS.operator;
      const args = ['--orchestrator', system.address, '--token-env', 'TELEMETRY_TEST_TOKEN', '--verbose'];
      await using cli = startCli('run', file, '--out', out, ...args);
      expect(await cli.exitCode(), cli.child.errorOutput()).toBe(0);
      const { queries } = cli.report();
      const runId = await cli.runId();

      // One run is one trace, through every service, with a branch for each shard.
      const root = await waitFor('the span of the run', () =>
        receiver.spans.find(({ name, attributes }) => name === 'run' && attributes['bbdistill.run'] === runId),
      );
      const inTrace = () => receiver.spans.filter(({ traceId }) => traceId === root.traceId);
      await waitFor('spans of every service', () => new Set(inTrace().map(({ service }) => service)).size === 4);
      expect(inTrace().map(({ name }) => name)).toContain('bbdistill.v1.DistillationService/CreateRun');
      const [stage] = inTrace().filter(({ name }) => name === 'stage label-mixup');
      expect(stage?.parentSpanId).toBe(root.spanId);
      const shards = await waitFor('the jobs of the shards', () => {
        const jobs = childrenOf(inTrace(), stage!).filter(({ name }) => name === 'job label');
        return jobs.length > 0 ? jobs : undefined;
      });
      for (const shard of shards) {
        expect(shard.service).toBe('bbdistill-teacher-proxy');
        const calls = childrenOf(inTrace(), shard).filter(({ name }) => name === 'teacher call');
        expect(calls.every(({ attributes }) => attributes['bbdistill.outcome'] === 'answered')).toBe(true);
      }
      const asked = inTrace()
        .filter(({ name }) => name === 'teacher call')
        .reduce((sum, { attributes }) => sum + Number(attributes['bbdistill.images']), 0);
      expect(asked).toBe(queries.billed);
      for (const name of ['job train', 'job mix']) expect(inTrace().map((span) => span.name)).toContain(name);
      const operator = connect('bbdistill.v1.DistillationService', system.address, { token: SECRETS.operator });
      await expect(operator.unary('GetRun', { runId: 'none' })).rejects.toMatchObject({ kind: 'not-found' });
      operator.close();
      const call = await waitFor('the span of a refused call', () =>
        receiver.spans.find(({ isError, name }) => isError && name.endsWith('/GetRun')),
      );
      const told = (await logOf(folder.path, 'orchestrator')).split('\n').find((line) => line.includes('/GetRun'));
      expect(told).toContain(`"trace_id":"${call.traceId}"`);

      // What Prometheus has scraped agrees with the report.
      const value = async (expression: string) =>
        Number((await prometheus.query(expression))[0]?.value[1] ?? Number.NaN);
      const billed = 'sum(bbdistill_teacher_images_total{phase!="evaluation",outcome=~"settled|unknown"})';
      await waitFor('the billed images', async () => (await value(billed)) === queries.billed);
      // Targets are scraped one after another: only after a scrape of each one since now are all figures final.
      const nowS = Date.now() / 1_000;
      await waitFor(
        'a scrape of every service',
        async () => (await value(`count(timestamp(up) > ${String(nowS)})`)) === 4,
      );
      expect(await value('sum(up)')).toBe(4);
      const refused = 'bbdistill_rpc_server_seconds_count{status="UNAUTHENTICATED",rpc_method="ListRuns"}';
      expect(await value(`sum(${refused})`)).toBe(1);
      expect(await value('sum(bbdistill_runs_ended_total{state="succeeded"})')).toBe(1);
      expect(await value('sum(bbdistill_job_seconds_count{kind="train",outcome="succeeded"})')).toBe(1);
      expect(await value('sum(bbdistill_job_progress_total{kind="train"})')).toBeGreaterThan(0);
      expect(await value('max(bbdistill_job_loss{kind="train"})')).toBeGreaterThan(0);
      expect(await value('max(bbdistill_label_backlog_shards)')).toBe(0);
      expect(await value('max(bbdistill_limiter_utilisation_ratio{teacher="metered"})')).toBeGreaterThan(0);
      expect(await value('sum(bbdistill_limiter_wait_seconds_count)')).toBeGreaterThan(0);
      expect(await value('min(bbdistill_store_link_up)')).toBe(1);
      // Shown by the orchestrator for every kind, as no worker of a kind need be up.
      expect(await value('count(bbdistill_jobs_waiting{job="orchestrator"})')).toBe(7);
      expect(await value('sum(bbdistill_jobs_waiting)')).toBe(0);
      expect(await value('sum(bbdistill_runs_ended_total{state="cancelled"})')).toBe(0);
      expect(await value('sum(bbdistill_teacher_images_total{phase="cvae",outcome="unknown"})')).toBe(0);
      expect(await value('sum(bbdistill_teacher_store_seconds_count)')).toBeGreaterThan(0);
      expect(await value('min(process_resident_memory_bytes)')).toBeGreaterThan(1e7);

      // A run that fails on the way leaves errors behind: those must not tell anything either.
      await teacher.control({ token: 'Bearer another' });
      await using failing = startCli('run', file, '--out', out, '--run.seed', '7', ...args);
      expect(await failing.exitCode(), failing.child.errorOutput()).toBe(3);
      await system.stop();
      expect(receiver.headers.some((sent) => sent['x-api-key'] === SECRETS.collector)).toBe(true);
      expect(receiver.spans.some(({ isError, name }) => isError && name === 'job label')).toBe(true);
      expect([...receiver.metricNames]).toContain('bbdistill_rpc_server_seconds');
      const planted = Object.values(SECRETS);
      expect(await filesWith(folder.path, planted)).toEqual([]);
      const shown = [cli, failing].flatMap(({ child }) => [...child.lines, child.errorOutput()]);
      for (const told of [...receiver.bodies, ...shown]) {
        for (const secret of planted) expect(told.includes(secret), `${secret} in ${told.slice(0, 200)}`).toBe(false);
      }
    }, 180_000);
  });
});
