import { describe, expect, it } from 'vitest';
import { parseTeacherConfig } from './registry.js';
import { descriptionToWire } from './wire.js';

function described(limits: object, more: { price?: object; bytesPerImage?: number; left?: Left } = {}) {
  const { price = {}, ...rest } = more;
  const config = parseTeacherConfig('t', { adapter: 'fake', limits: { imagesPerCall: 20, ...limits }, price });
  const facts = { adapter: 'fake', endpoint: '', ready: true, detail: '' };
  return descriptionToWire({ config, facts, cacheIdentity: '', ...rest }, 'probabilities');
}

interface Left {
  images: number;
  moneyMicros: number;
}

describe('descriptionToWire', () => {
  it.each<[string, object, imagesPerCall: number, imagesPerSecond: number]>([
    ['none', {}, 20, 0],
    ['images a second', { imagesPerSecond: 200 }, 20, 200],
    ['fewer images a second than a call has', { imagesPerSecond: 5 }, 5, 5],
    ['less than one image a second', { imagesPerSecond: 0.5 }, 1, 0.5],
    ['images a minute', { imagesPerMinute: 600 }, 20, 10],
    ['images a day', { imagesPerDay: 1000 }, 20, 1000 / 86_400],
    ['calls a second', { callsPerSecond: 2 }, 20, 40],
    ['calls a minute', { callsPerMinute: 6 }, 20, 2],
    ['calls a day', { callsPerDay: 1000 }, 20, 20_000 / 86_400],
    ['a burst', { imagesPerSecond: 10, burstImages: 4 }, 2, 10],
    ['the one that binds most', { imagesPerSecond: 200, callsPerMinute: 6, imagesPerDay: 1_000_000 }, 20, 2],
    ['full calls of what a window leaves room for', { imagesPerSecond: 5, callsPerMinute: 12 }, 5, 1],
    ['calls that divide a window evenly', { imagesPerSecond: 50 }, 16, 48],
    ['calls that are as large as can be, where they count', { imagesPerSecond: 50, callsPerMinute: 600 }, 20, 40],
  ])('limits - %s', (_, limits, imagesPerCall, imagesPerSecond) => {
    const description = described(limits);
    expect(description.imagesPerCall).toBe(imagesPerCall);
    expect(description.imagesPerSecond).toBeCloseTo(imagesPerSecond, 10);
  });

  it('limits - bytes a call count where the size of an image is known', () => {
    expect(described({ bytesPerCall: 1000 }, { bytesPerImage: 300 }).imagesPerCall).toBe(3);
    expect(described({ bytesPerCall: 1000 }).imagesPerCall).toBe(20);
  });

  it('limits - calls that are paid for are as large as can be', () => {
    expect(described({ imagesPerSecond: 50 }, { price: { perCall: 0.01 } }).imagesPerCall).toBe(20);
  });

  it('limits - every rate is told', () => {
    expect(described({ imagesPerMinute: 600, callsPerDay: 1000 }).rates).toEqual([
      { images: 600, windowSeconds: 60 },
      { images: 20_000, windowSeconds: 86_400 },
    ]);
  });

  it("budget - what the teacher's own leaves is told, where it limits", () => {
    expect(described({})).not.toHaveProperty('imagesLeft');
    const left = { images: Infinity, moneyMicros: -5 };
    expect(described({}, { left })).toMatchObject({ moneyLeftMicros: 0 });
    expect(described({}, { left })).not.toHaveProperty('imagesLeft');
    expect(described({}, { left: { images: 7, moneyMicros: Infinity } })).toMatchObject({ imagesLeft: 7 });
  });
});
