import { describe, expect, it } from 'vitest';
import { Screen } from '../../../test/helpers/screen.js';
import { waitFor } from '../../../test/helpers/wait-for.js';
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
    expect(describeStage(stage(), 60_000, 100)).toBe('6 000/24 000 images, 100/s, 3 min 0 s left');
  });

  it('tells how long it took', () => {
    const done = stage({
      state: 'JOB_STATE_SUCCEEDED',
      endedAtMs: 90_000,
      progress: { unit: 'epochs', done: 50, total: 50, loss: 0.5 },
    });
    expect(describeStage(done, 0, 50 / 90)).toBe('50/50 epochs, 0.6/s, loss 0.500, done in 1 min 30 s');
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

  it('without a terminal - a stage that stands still says so at once, and again now and then', () => {
    const lines: string[] = [];
    const output = { stdout: () => undefined, stderr: (text: string) => void lines.push(text), interactive: false };
    const view = progressView(output, false);
    view.event(event(0, stage()));
    for (const atMs of [6_000, 8_000, 22_000]) view.event(event(atMs, stage({ waitingFor: 'circuit breaker open' })));
    for (const atMs of [23_000, 24_000]) view.event(event(atMs, stage()));
    view.event(event(25_000, stage({ waitingFor: 'circuit breaker open' })));
    expect(lines.map((line) => line.includes('waits: circuit breaker open'))).toEqual([false, true, true, true]);
  });

  /** Seconds and how much is done. @returns the last line */
  function shownAfter(
    seen: readonly (readonly [seconds: number, done: number])[],
    over: (seconds: number) => Partial<StageStatus__Output> = () => ({}),
  ): string {
    const lines: string[] = [];
    const output = { stdout: () => undefined, stderr: (text: string) => void lines.push(text), interactive: false };
    const view = progressView(output, false);
    for (const [seconds, done] of seen) {
      const progress = { unit: 'steps', done, total: 5000 };
      view.event(event(seconds * 1000, stage({ progress, ...over(seconds) })));
    }
    return lines.at(-1)!;
  }

  it('rate - what was done before a stage was resumed is not counted', () => {
    const resumed = [[0, 0], [1, 4000], [6, 4050], [16, 4150]] as const; // prettier-ignore
    expect(shownAfter(resumed)).toMatch(/4 150\/5 000 steps, 10\/s, 1 min 25 s left$/);
    const ended = (seconds: number) =>
      seconds === 101 ? { state: 'JOB_STATE_SUCCEEDED' as const, endedAtMs: 101_000 } : {};
    expect(shownAfter([...resumed, [101, 5000]], ended)).toMatch(/5 000\/5 000 steps, 10\/s, done in 1 min 41 s$/);
  });

  it('rate - is that of the last half minute', () => {
    const slower = [[0, 1], [10, 1001], [20, 2001], [30, 2011], [50, 2031], [65, 2046]] as const; // prettier-ignore
    expect(shownAfter(slower)).toMatch(/, 1\.0\/s, 49 min 14 s left$/);
  });

  it('rate - begins anew where a stage does', () => {
    const again = [[0, 100], [10, 2100], [20, 2000], [36, 2016]] as const; // prettier-ignore
    expect(shownAfter(again)).toMatch(/2 016\/5 000 steps, 1\.0\/s/);
    const restarted = (seconds: number) => ({ startedAtMs: seconds < 20 ? 0 : 20_000 });
    expect(shownAfter([[0, 100], [10, 1100], [20, 3000], [36, 3016]], restarted)).toMatch(/, 1\.0\/s/); // prettier-ignore
  });

  it('rate - nothing is said where nothing was seen to be done', () => {
    expect(shownAfter([[0, 4000]])).toMatch(/4 000\/5 000 steps$/);
    expect(shownAfter([[0, 4000], [60, 4000]])).toMatch(/4 000\/5 000 steps$/); // prettier-ignore
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

describe('remarks while bars are drawn', () => {
  /** Longer than a line of the screen. */
  const REMARK = 'stopping: nothing more is asked, calls under way are waited for; Ctrl-C again to leave at once';
  const stages = ['label-real', 'label-mixup'];

  function drawing() {
    const screen = new Screen(60);
    const stderr = (text: string) => void screen.write(`${text}\n`);
    const view = progressView({ stdout: () => undefined, stderr, interactive: true }, false, screen as never);
    const at = (done: number) => {
      for (const name of stages)
        view.event(event(done, stage({ name, progress: { unit: 'images', done, total: 9000 } })));
    };
    return { screen, view, at, shown: () => screen.text.replaceAll(/\s+/g, ' ') };
  }

  it('stay, whole, and the bars below them', async () => {
    const { screen, view, at, shown } = drawing();
    at(1000);
    await waitFor('bars', () => screen.text.includes('11%'));
    view.say(REMARK);
    at(2000);
    await waitFor('the next bars', () => screen.text.includes('22%'));
    at(3000);
    await waitFor('the bars after them', () => screen.text.includes('33%'));
    view.end();
    expect(shown()).toContain(`${REMARK} label-real`);
    expect(screen.text.match(/label-/g)).toHaveLength(stages.length);
  });

  it('come before the first bar, right before the end and after it as well', () => {
    const { view, at, shown } = drawing();
    view.say('one');
    at(1000);
    view.say('two');
    view.event({
      ...event(2, stage()),
      stage: null,
      failure: { code: 'FAULT', message: 'of a kind', retryable: false },
    });
    view.end();
    view.say('three');
    expect(shown()).toMatch(/^one two failed: FAULT: of a kind label-real .* label-mixup .* three $/);
  });

  it('Ctrl-C - is left to the command: the bars go on', () => {
    const before = process.listenerCount('SIGINT');
    const { view, at } = drawing();
    at(1000);
    expect(process.listenerCount('SIGINT')).toBe(before);
    view.end();
  });

  it('nothing came - nothing is drawn', () => {
    const { screen, view } = drawing();
    view.end();
    expect(screen.text).toBe('');
  });
});
