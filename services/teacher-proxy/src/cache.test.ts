import { describe, expect, it } from 'vitest';
import { answerKeys, decodeEntry, encodeEntry } from './cache.js';
import type { CanonicalRequests } from './teacher.js';

const requests: CanonicalRequests = {
  header: '{"shape":[1]}',
  bytes: Uint8Array.of(1, 2, 1, 2, 3, 4),
  bytesPerImage: 2,
};
const hexKeys = (change: Partial<CanonicalRequests>, identity = 'teacher|1') =>
  answerKeys({ ...requests, ...change }, 3, identity).map((key) => key.toString('hex'));

describe('answer keys', () => {
  it('equal requests - have equal keys', () => {
    const [first, second, third] = hexKeys({});
    expect(first).toBe(second);
    expect(first).not.toBe(third);
    expect(hexKeys({})).toEqual(hexKeys({}));
  });

  it('another header, other bytes or another teacher - other keys', () => {
    const key = hexKeys({})[0];
    expect(hexKeys({ header: '{"shape":[2]}' })[0]).not.toBe(key);
    expect(hexKeys({ bytes: Uint8Array.of(9, 2, 1, 2, 3, 4) })[0]).not.toBe(key);
    expect(hexKeys({}, 'teacher|2')[0]).not.toBe(key);
  });

  it('texts that join to the same text - still other keys', () => {
    expect(hexKeys({ header: 'bc' }, 'a')[0]).not.toBe(hexKeys({ header: 'c' }, 'ab')[0]);
  });
});

describe('cache entries', () => {
  const answer = { raw: Float32Array.of(0.25, 0.75), unit: 'unit', callId: 'call.1' };

  it('encode, decode - gives the same answer', () => {
    expect(decodeEntry(encodeEntry(answer))).toEqual(answer);
  });

  it('damage - any changed byte makes the entry unreadable', () => {
    const entry = encodeEntry(answer);
    for (let at = 0; at < entry.length; at++) {
      const damaged = Buffer.from(entry);
      damaged[at] = damaged[at]! ^ 0x10;
      expect(decodeEntry(damaged), `byte ${at}`).toBeUndefined();
    }
  });

  it('truncation - at any length makes the entry unreadable', () => {
    const entry = encodeEntry(answer);
    for (let length = 0; length < entry.length; length++)
      expect(decodeEntry(entry.subarray(0, length))).toBeUndefined();
  });
});
