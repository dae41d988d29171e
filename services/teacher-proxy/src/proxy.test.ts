import { ManualClock, RandomStream, UnavailableError, silentLogger, systemClock } from '@bbdistill/common';
import { expect, it } from 'vitest';
import { MemoryState } from '../../../test/helpers/memory-state.js';
import { temporaryFolder } from '../../../test/helpers/temporary-folder.js';
import { waitFor } from '../../../test/helpers/wait-for.js';
import { openTeacher } from './adapters/open-teacher.js';
import { Ledger } from './budget.js';
import { EmbeddedAnswerCache } from './cache.js';
import { TeacherProxy } from './proxy.js';
import { parseTeacherConfig } from './registry.js';

it('a teacher whose former settings fail late - stays opened by its new ones, and is closed with the rest', async () => {
  await using folder = await temporaryFolder();
  const cache = new EmbeddedAnswerCache(folder.path);
  let fail: (error: Error) => void = () => undefined;
  const opened: string[] = [];
  const closed: string[] = [];
  const proxy = new TeacherProxy({
    state: new MemoryState(),
    cache,
    clock: systemClock,
    random: new RandomStream(1, 'test'),
    env: {},
    holder: 'test',
    soleUser: true,
    marks: undefined,
    logger: silentLogger,
    open: async (config, env, clock) => {
      const version = config.version;
      opened.push(version);
      if (version === '1') await new Promise<never>((_, reject) => (fail = reject));
      const teacher = await openTeacher(config, env, clock);
      const close = teacher.close.bind(teacher);
      teacher.close = () => (closed.push(version), close());
      return teacher;
    },
  });
  const register = (version: string) =>
    proxy.registry.register(parseTeacherConfig('mine', { adapter: 'fake', version }));
  const shape = { height: 1, width: 1, channels: 1 };
  const label = (pixel: number) =>
    proxy.label('mine', {
      run: 'run',
      phase: 'seeds',
      budget: {},
      classes: 10,
      images: { count: 1, shape, pixels: Uint8Array.of(pixel) },
    });
  await register('1');
  const former = label(1);
  former.catch(() => undefined);
  await waitFor('the former settings', () => opened.length === 1);
  await register('2');
  await label(2);
  fail(new Error('no such file'));
  await expect(former).rejects.toThrow('no such file');
  await label(3);
  expect(opened).toEqual(['1', '2']);
  await proxy.close();
  expect(closed).toEqual(['2']);
  await cache.close();
});

it('a replica that could not look for long - takes nobody for dead by what it saw before', async () => {
  await using folder = await temporaryFolder();
  const cache = new EmbeddedAnswerCache(folder.path);
  const state = new MemoryState();
  const clock = new ManualClock();
  const get = state.get.bind(state);
  const proxy = new TeacherProxy({
    state,
    cache,
    clock,
    random: new RandomStream(1, 'test'),
    env: {},
    holder: 'watcher',
    soleUser: false,
    marks: undefined,
    logger: silentLogger,
  });
  const config = parseTeacherConfig('mine', { adapter: 'fake', limits: { timeoutMs: 4_000 } });
  await proxy.registry.register(config);
  // Shows no life by itself: its word is that of a process whose every sign is lost.
  const silent = new Ledger(state, 'mine', config.price);
  await silent.join('silent');
  const standing = async () => (await new Ledger(state, 'mine', config.price).holders())['silent'];
  await proxy.describe('mine');
  const looks = async (count: number) => {
    for (let look = 0; look < count; look++) await clock.advance(2_250);
  };
  await looks(2);
  state.get = () => Promise.reject(new UnavailableError('cut off'));
  await looks(8);
  state.get = get;
  await looks(3);
  expect(await standing()).toBeGreaterThanOrEqual(0);
  await looks(4);
  expect((await standing()) ?? -1).toBeLessThan(0);
  await proxy.close();
  await cache.close();
});
