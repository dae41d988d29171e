import { describe, expect, it } from 'vitest';
import { Lead } from './lead.js';

describe('lead', () => {
  it('is nothing at first, then what nearly every call takes, within bounds', () => {
    const lead = new Lead();
    expect(lead.ms).toBe(0);
    for (let n = 0; n < 200; n++) lead.note(4);
    expect(lead.ms).toBeCloseTo(4, 3);
    for (let n = 0; n < 200; n++) lead.note(n % 2 === 0 ? 3 : 5);
    expect(lead.ms).toBeGreaterThan(1.5);
    expect(lead.ms).toBeLessThan(3);
    for (let n = 0; n < 200; n++) lead.note(n % 2 === 0 ? 1 : 20);
    expect(lead.ms).toBe(0);
    for (let n = 0; n < 200; n++) lead.note(5000);
    expect(lead.ms).toBeCloseTo(50, 3);
  });
});
