import type { Clock } from '@bbdistill/common';
import cliProgress from 'cli-progress';
import type { Output } from '../output.js';
import type { TeacherProgress } from './train-teacher.js';

/** Without a terminal: a line at most this often. */
export const LINE_INTERVAL_MS = 15_000;

export interface TrainingProgressView {
  update(progress: TeacherProgress): void;
  end(): void;
}

/** A bar on a terminal, plain lines elsewhere. */
export function trainingProgressView(output: Output, clock: Pick<Clock, 'monotonicMs'>): TrainingProgressView {
  return output.interactive ? bar(clock) : lines(output, clock);
}

function bar(clock: Pick<Clock, 'monotonicMs'>): TrainingProgressView {
  const startedMs = clock.monotonicMs();
  const single = new cliProgress.SingleBar(
    { format: 'training {bar} {percentage}%  {text}', barsize: 28, hideCursor: true, stream: process.stderr },
    cliProgress.Presets.shades_classic,
  );
  let started = false;
  return {
    update(progress) {
      const payload = { text: describe(progress, clock.monotonicMs() - startedMs) };
      if (!started) single.start(progress.totalSteps, progress.step, payload);
      started = true;
      single.update(progress.step, payload);
    },
    end: () => single.stop(),
  };
}

function lines(output: Output, clock: Pick<Clock, 'monotonicMs'>): TrainingProgressView {
  const startedMs = clock.monotonicMs();
  let lastMs = -Infinity;
  return {
    update(progress) {
      const nowMs = clock.monotonicMs();
      if (nowMs - lastMs < LINE_INTERVAL_MS && progress.step < progress.totalSteps) return;
      lastMs = nowMs;
      output.stderr(`training ${describe(progress, nowMs - startedMs)}`);
    },
    end: () => undefined,
  };
}

/** `4690/9380 steps, 74/s, 63 s left, loss 0.214` */
function describe({ step, totalSteps, loss }: TeacherProgress, elapsedMs: number): string {
  const parts = [`${step}/${totalSteps} steps`];
  if (step > 0 && elapsedMs > 0) {
    const perSecond = step / (elapsedMs / 1000);
    parts.push(`${perSecond.toFixed(1)}/s`, `${Math.ceil((totalSteps - step) / perSecond)} s left`);
  }
  if (loss !== undefined) parts.push(`loss ${loss.toFixed(3)}`);
  return parts.join(', ');
}
