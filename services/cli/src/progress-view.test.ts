import { describe, expect, it } from 'vitest';
import type { RunEvent__Output } from '@bbdistill/common/gen/bbdistill/v1/RunEvent.js';
import type { StageStatus__Output } from '@bbdistill/common/gen/bbdistill/v1/StageStatus.js';
import { describeStage, progressView } from './progress-view.js';

const stage = (over: Partial<StageStatus__Output> = {}): StageStatus__Output => ({
  name: 'label-mixup',
  state: 'JOB_STATE_RUNNING',
  progress: { unit: 'images', done: 6000, total: 24_000 },
  reused: false,
  startedAtMs: 0,
  endedAtMs: 0,
  waitingFor: '',
  ...over,
});
const event = (atMs: number, shown: StageStatus__Output): RunEvent__Output => ({
  sequence: 1,
  atMs,
  stage: shown,
  event: 'stage',
});

describe('describeStage', () => {
  it('tells how far it is, how fast, and how long it takes still', () => {
    expect(describeStage(stage(), 60_000)).toBe('6 000/24 000 images, 100/s, 3 min 0 s left');
  });

  it('tells how long it took', () => {
    const done = stage({
      state: 'JOB_STATE_SUCCEEDED',
      endedAtMs: 90_000,
      progress: { unit: 'epochs', done: 50, total: 50, loss: 0.5 },
    });
    expect(describeStage(done, 0)).toBe('50/50 epochs, 0.6/s, loss 0.500, done in 1 min 30 s');
  });

  it('tells that nothing had to be done', () => {
    expect(describeStage(stage({ reused: true, endedAtMs: 5 }), 0)).toMatch(/reused from an earlier run$/);
  });

  it('tells why it waits', () => {
    expect(describeStage(stage({ state: 'JOB_STATE_QUEUED', waitingFor: 'a GPU node' }), 0)).toBe('waits: a GPU node');
  });
});

describe('progressView', () => {
  it('without a terminal - a line at the start, now and then, and at the end', () => {
    const lines: string[] = [];
    const output = { stdout: () => undefined, stderr: (text: string) => void lines.push(text), interactive: false };
    const view = progressView(output, false);
    for (const atMs of [0, 1_000, 2_000, 16_000, 17_000]) view.event(event(atMs, stage()));
    view.event(event(18_000, stage({ state: 'JOB_STATE_SUCCEEDED', endedAtMs: 18_000 })));
    expect(lines).toHaveLength(3);
    expect(lines[2]).toMatch(/^label-mixup +.*done in 18 s$/);
  });

  it('for machines - shows the fields of the contract and no marks of protobuf', () => {
    const lines: string[] = [];
    const output = { stdout: (text: string) => void lines.push(text), stderr: () => undefined, interactive: false };
    const progress = { unit: 'epochs', done: 1, total: 2, loss: 0.5, _loss: 'loss' as const };
    progressView(output, true).event(event(0, stage({ progress })));
    expect((JSON.parse(lines[0]!) as RunEvent__Output).stage?.progress).toEqual({
      unit: 'epochs',
      done: 1,
      total: 2,
      loss: 0.5,
    });
  });

  it('for machines - one JSON object a line', () => {
    const lines: string[] = [];
    const output = { stdout: (text: string) => void lines.push(text), stderr: () => undefined, interactive: true };
    progressView(output, true).event(event(1, stage()));
    expect(JSON.parse(lines[0]!)).toMatchObject({ stage: { name: 'label-mixup' } });
  });
});
