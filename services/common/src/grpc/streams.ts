import type { Readable, Writable } from 'node:stream';

/**
 * Writes one message and waits while the other side can't take more.
 * @param signal aborts when the call has ended; a stream of grpc-js doesn't always tell its writer
 * @returns false where nobody reads any more
 */
export async function writeMessage(stream: Writable, message: unknown, signal: AbortSignal): Promise<boolean> {
  const closed = () => signal.aborted || stream.destroyed || stream.writableEnded;
  if (closed()) return false;
  if (stream.write(message)) return true;
  await new Promise<void>((resolve) => {
    const done = () => {
      for (const event of WRITE_EVENTS) stream.off(event, done);
      signal.removeEventListener('abort', done);
      resolve();
    };
    for (const event of WRITE_EVENTS) stream.on(event, done);
    signal.addEventListener('abort', done, { once: true });
  });
  return !closed();
}

/** Messages as they come. Leaving the loop early leaves the stream open: destroying it would hang a bidi peer. */
export async function* readMessages<T>(stream: Readable): AsyncGenerator<T, void, undefined> {
  for await (const message of stream.iterator({ destroyOnReturn: false })) yield message as T;
}

/** Starts the cleaning up of an iterator without waiting: a generator that waits for its next event can't end now. */
export function abandon(iterator: AsyncIterator<unknown>): void {
  void iterator.return?.()?.then(undefined, () => undefined);
}

/** The next value, or `undefined` as soon as the signal aborts. */
export async function nextUnlessAborted<T>(
  iterator: AsyncIterator<T>,
  signal: AbortSignal,
): Promise<IteratorResult<T> | undefined> {
  if (signal.aborted) return undefined;
  let onAbort = (): void => undefined;
  const aborted = new Promise<undefined>((resolve) => {
    onAbort = () => resolve(undefined);
    signal.addEventListener('abort', onAbort, { once: true });
  });
  const next = iterator.next();
  // Where the abort wins, nobody waits for this promise any more.
  next.catch(() => undefined);
  try {
    return await Promise.race([next, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

const WRITE_EVENTS = ['drain', 'close', 'finish', 'error'];
