import { describe, expect, it } from 'vitest';
import { waitFor } from '../../../test/helpers/wait-for.js';
import { ManualClock } from './clock.js';
import { UnavailableError } from './errors.js';
import { WATCH_AGAIN_MS, keepWatching } from './keep-watching.js';

/** What the first, the second and every later watch does. */
type Watches = ((signal: AbortSignal) => AsyncIterable<string>)[];

function watching(watches: Watches) {
  const clock = new ManualClock();
  const stop = new AbortController();
  const opened: boolean[] = [];
  const seen: string[] = [];
  const failures: string[] = [];
  const over = keepWatching<string>({
    open: (isAgain) => {
      opened.push(isAgain);
      return watches[Math.min(opened.length, watches.length) - 1]!(stop.signal);
    },
    onChange: (change) => seen.push(change),
    onFailure: (error) => failures.push(error.message),
    clock,
    signal: stop.signal,
  });
  return { clock, stop, opened, seen, failures, over };
}

async function* telling(...changes: string[]) {
  yield* changes;
}
async function* failing(...changes: string[]): AsyncGenerator<string> {
  yield* changes;
  throw new UnavailableError('the store is away');
}

describe('keepWatching', () => {
  it('watch - one that fails is opened anew after a pause, and told of once until it works again', async () => {
    const { clock, stop, opened, seen, failures, over } = watching([
      () => failing('a'),
      () => failing(),
      () => failing('b'),
      () => telling('c'),
    ]);
    for (let attempt = 1; attempt <= 3; attempt++) {
      await waitFor(`the pause after attempt ${attempt}`, () => opened.length === attempt && clock.sleeping === 1);
      await clock.advance(WATCH_AGAIN_MS - 1);
      expect(opened).toHaveLength(attempt);
      await clock.advance(1);
    }
    await waitFor('the change that came last', () => seen.includes('c'));
    expect(seen).toEqual(['a', 'b', 'c']);
    expect(opened).toEqual([false, true, true, true]);
    expect(failures).toEqual(['the store is away', 'the store is away']);
    stop.abort();
    await over;
  });

  it('watch - one that ends by itself is opened anew without a word', async () => {
    const { clock, stop, opened, failures, over } = watching([() => telling('a')]);
    await waitFor('the first pause', () => clock.sleeping === 1);
    await clock.advance(WATCH_AGAIN_MS);
    await waitFor('the second watch', () => opened.length === 2);
    expect(failures).toEqual([]);
    stop.abort();
    await over;
  });

  it('watch - a failure after the end is none', async () => {
    let waits = false;
    const { stop, failures, over } = watching([
      async function* (signal) {
        waits = true;
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        yield* failing();
      },
    ]);
    await waitFor('the watch', () => waits);
    stop.abort();
    await over;
    expect(failures).toEqual([]);
  });
});
