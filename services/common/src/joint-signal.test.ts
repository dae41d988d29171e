import { getEventListeners } from 'node:events';
import { describe, expect, it, vi } from 'vitest';
import { JointSignal } from './joint-signal.js';

describe('joint signal', () => {
  it.each([0, 1])('aborts with source %i, for its reason', (which) => {
    const sources = [new AbortController(), new AbortController()];
    using joint = new JointSignal(...sources.map(({ signal }) => signal));
    expect(joint.signal.aborted).toBe(false);
    sources[which]!.abort('why');
    sources[1 - which]!.abort('too late');
    expect(joint.signal.reason).toBe('why');
  });

  it('is aborted from the beginning where a source is', () => {
    using joint = new JointSignal(new AbortController().signal, AbortSignal.abort('before'));
    expect(joint.signal.reason).toBe('before');
  });

  it('many on one source - are no leak that Node would warn of', () => {
    const warning = vi.spyOn(process, 'emitWarning');
    const { signal } = new AbortController();
    const joints = Array.from({ length: 50 }, () => new JointSignal(signal));
    expect(getEventListeners(signal, 'abort')).toHaveLength(50);
    expect(warning).not.toHaveBeenCalled();
    for (const joint of joints) joint[Symbol.dispose]();
  });

  it('leaves nothing on its sources once disposed of', () => {
    const { signal } = new AbortController();
    for (let n = 0; n < 100; n++) {
      using joint = new JointSignal(signal);
      expect(joint.signal.aborted).toBe(false);
    }
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });
});
