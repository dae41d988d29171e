import { expect, it, vi } from 'vitest';
import { RecentReports } from './recent-reports.js';

const bytesOf = (text: string) => new TextEncoder().encode(text);

it('recent reports - what was kept or read once is not read again', async () => {
  const get = vi.fn(async () => bytesOf('stored'));
  const reports = new RecentReports({ get });
  reports.keep('a', bytesOf('kept'));
  expect(await reports.read('a')).toBe('kept');
  expect([await reports.read('b'), await reports.read('b')]).toEqual(['stored', 'stored']);
  expect(get.mock.calls).toEqual([['b']]);
});

it('recent reports - a long one is not kept, and of many those asked for last are', async () => {
  const get = vi.fn(async () => bytesOf('stored'));
  const reports = new RecentReports({ get });
  expect(reports.keep('long', bytesOf('x'.repeat(100_000)))).toHaveLength(100_000);
  expect(await reports.read('long')).toBe('stored');
  reports.keep('wanted', bytesOf('wanted'));
  for (let i = 0; i < 300; i++) {
    reports.keep(`${i}`, bytesOf('other'));
    await reports.read('wanted');
  }
  get.mockClear();
  expect([await reports.read('wanted'), await reports.read('299')]).toEqual(['wanted', 'other']);
  expect(get).not.toHaveBeenCalled();
  expect(await reports.read('0')).toBe('stored');
});
