import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connect } from '@bbdistill/common';
import type { Report } from '@bbdistill/orchestrator';
import { startCli, writeMeteredRun } from '../helpers/cli-process.js';
import { startDistributed } from '../helpers/distributed.js';
import { startMeteredTeacher } from '../helpers/metered-teacher.js';
import type { MeteredTeacher } from '../helpers/metered-teacher.js';

export interface LimitedOptions {
  folder: string;
  /** Of the teacher: what is beyond is turned away. */
  imagesPerSecond: number;
  synthetic: number;
  epochs: number;
}

export interface LimitedFigures {
  billed: number;
  /** billed / R. */
  labelSeconds: number;
  /** In one process, with a teacher that answers at once. */
  embeddedTrainSeconds: number;
  /** From CreateRun to the run's end. */
  wallSeconds: number;
  /** 1.05 × (billed / R) + 10 % of the embedded training time. */
  allowedSeconds: number;
  /** Calls that the teacher turned away. */
  turnedAway: number;
  seconds: Report['seconds'];
}

const REAL_IMAGES = 24;
const IMAGES_PER_CALL = 20;
const CONCURRENCY = 8;

/** An overlapped run whose teacher is slower than its training, against the time that the teacher alone needs. */
export async function measureLimited(options: LimitedOptions): Promise<LimitedFigures> {
  const { folder, imagesPerSecond, synthetic, epochs } = options;
  const run = { real: REAL_IMAGES, synthetic, epochs, imagesPerCall: IMAGES_PER_CALL, concurrency: CONCURRENCY };
  const embeddedTrainSeconds = await embeddedTraining(join(folder, 'embedded'), run);

  await using teacher = await startMeteredTeacher({ latencyMs: 20, limit: { kind: 'bucket', imagesPerSecond } });
  const base = join(folder, 'distributed');
  await mkdir(base, { recursive: true });
  await using system = await startDistributed({
    folder: base,
    teacher,
    imagesPerCall: IMAGES_PER_CALL,
    concurrency: CONCURRENCY,
    limits: { imagesPerSecond },
    env: { BBDISTILL_ENGINE: 'wasm' },
  });
  const file = await writeMeteredRun(base, teacher, { ...run, extra: 'overlap: true' });
  const text = await readFile(file, 'utf8');
  await writeFile(file, text.slice(text.indexOf('run:')).replace('run:', 'run:\n  teacher: metered'));
  await using cli = startCli('run', file, '--orchestrator', system.address, '--out', join(base, 'out'));
  const report = await reportOf(cli);
  const client = connect('bbdistill.v1.DistillationService', system.address);
  const { createdAtMs, endedAtMs } = await client.unary('GetRun', { runId: report.run.id });
  client.close();
  const { billed } = report.queries;
  const labelSeconds = billed / imagesPerSecond;
  return {
    billed,
    labelSeconds,
    embeddedTrainSeconds,
    wallSeconds: (endedAtMs - createdAtMs) / 1000,
    allowedSeconds: 1.05 * labelSeconds + 0.1 * embeddedTrainSeconds,
    turnedAway: (await teacher.summary()).turnedAway.length,
    seconds: report.seconds,
  };
}

async function embeddedTraining(folder: string, run: Parameters<typeof writeMeteredRun>[2]): Promise<number> {
  await using teacher: MeteredTeacher = await startMeteredTeacher();
  const file = await writeMeteredRun(folder, teacher, run);
  await using cli = startCli('run', file, '--state', join(folder, 'state'), '--out', join(folder, 'out'));
  return (await reportOf(cli)).seconds.train ?? 0;
}

async function reportOf(cli: ReturnType<typeof startCli>): Promise<Report> {
  const code = await cli.exitCode();
  if (code !== 0) throw new Error(`the run ended with ${code}: ${cli.child.errorOutput()}`);
  return cli.report();
}
