import { describe, expect, it } from 'vitest';
import type { RunRecord } from './run-record.js';
import { aSpec } from './testing/specs.js';
import { runsToWire } from './wire.js';

function records(count: number, topologyBytes: number, name = 'a run'): RunRecord[] {
  const { student } = aSpec();
  const spec = aSpec({ name, student: { ...student, topology: 'x'.repeat(topologyBytes) } });
  return Array.from({ length: count }, (_, n) => ({
    id: `run-${n}`,
    requestId: `r${n}`,
    specHash: 'h',
    spec,
    state: 'succeeded',
    stages: [],
    jobs: [],
    artifacts: [],
    createdAtMs: n,
    cancelRequested: false,
  }));
}

describe('a list of runs', () => {
  it('has all of them though their students are of large topologies, which are left out', () => {
    const runs = runsToWire(records(100, 120 * 1024));
    expect(runs).toHaveLength(100);
    expect(runs[0]!.spec?.student).toMatchObject({ network: 'lenet5-half', topology: '' });
  });

  it('has no more than a message carries, the first ones', () => {
    const runs = runsToWire(records(5_000, 0));
    expect(runs.length).toBeGreaterThan(1_000);
    expect(runs.length).toBeLessThan(5_000);
    expect(Buffer.byteLength(JSON.stringify(runs))).toBeLessThan(4 * 1024 * 1024);
    expect(runs[0]!.id).toBe('run-0');
  });
});
