import { describe, expect, it } from 'vitest';
import { secondsOf } from './report-figures.js';
import type { StageRecord } from './run-record.js';

const stage = (name: string, startedAtMs: number, endedAtMs?: number): StageRecord => ({
  name,
  state: 'succeeded',
  reused: false,
  startedAtMs,
  ...(endedAtMs !== undefined && { endedAtMs }),
});

describe('secondsOf', () => {
  it('counts time in which stages overlap once', () => {
    const stages = [stage('label-a', 0, 4_000), stage('label-b', 2_000, 6_000), stage('label-c', 10_000, 11_000)];
    expect(secondsOf(stages, () => true)).toBe(7);
  });

  it('counts a stage inside another one not at all', () => {
    expect(secondsOf([stage('a', 0, 10_000), stage('b', 2_000, 3_000)], () => true)).toBe(10);
  });

  it('counts the attempts before this one', () => {
    const earlier = [{ startedAtMs: 0, endedAtMs: 3_000 }];
    const again = { ...stage('train', 100_000, 102_000), earlier };
    expect(secondsOf([again, { ...stage('train-standard-kd', 200_000), earlier }], () => true)).toBe(5);
  });

  it('leaves out stages of other names and those that have not ended', () => {
    const stages = [stage('train', 0, 5_000), stage('mix', 0, 50_000), stage('train', 90_000)];
    expect(secondsOf(stages, (name) => name === 'train')).toBe(5);
  });
});
