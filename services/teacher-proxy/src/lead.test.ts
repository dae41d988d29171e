import { describe, expect, it } from 'vitest';
import { Lead } from './lead.js';

/** After calls that took so long. */
function leadAfter(...tookMs: number[]): number {
  const lead = new Lead();
  for (const ms of tookMs) lead.note(ms);
  return lead.ms;
}

describe('lead', () => {
  it('is nothing before something is known', () => {
    expect(leadAfter()).toBe(0);
    expect(leadAfter(4, 4, 4)).toBe(0);
  });

  it('is what most of the last calls needed, whatever single ones took', () => {
    expect(leadAfter(4, 4, 4, 4)).toBe(4);
    expect(leadAfter(9, 8, 7, 6, 5, 4, 3, 2, 1)).toBe(4);
    expect(leadAfter(10, 10, 600, 10, 0, 10, 10, 700, 10)).toBe(10);
    expect(leadAfter(...Array<number>(20).fill(30), ...Array<number>(9).fill(2))).toBe(2);
  });

  it('is never long', () => {
    expect(leadAfter(...Array<number>(9).fill(5_000))).toBe(50);
  });
});
