import { context, trace } from '@opentelemetry/api';
import type { ContextManager } from '@opentelemetry/api';
import { AsyncLocalStorage } from 'node:async_hooks';
import { ROOT_CONTEXT } from '@opentelemetry/api';
import type { Context } from '@opentelemetry/api';
import { afterEach, describe, expect, it } from 'vitest';
import { NotFoundError } from './errors.js';
import { REDACTED_FIELDS, createLogger } from './logging.js';
import { inSpan } from './telemetry.js';

function loggerInto(lines: Record<string, unknown>[]) {
  return createLogger({
    name: 'test',
    level: 'debug',
    destination: { write: (line) => lines.push(JSON.parse(line) as Record<string, unknown>) },
  });
}

/** The smallest context manager: the SDK, which brings one, is not part of this package. */
class TestContextManager implements ContextManager {
  readonly #storage = new AsyncLocalStorage<Context>();
  active = () => this.#storage.getStore() ?? ROOT_CONTEXT;
  with: ContextManager['with'] = (active, work, thisArg, ...args) =>
    this.#storage.run(active, () => work.apply(thisArg as ThisParameterType<typeof work>, args));
  bind: ContextManager['bind'] = (_active, target) => target;
  enable = () => this;
  disable = () => this;
}

afterEach(() => {
  context.disable();
  trace.disable();
});

describe('logging', () => {
  it('logging - a line is JSON with time, level, service, fields and message', () => {
    const lines: Record<string, unknown>[] = [];
    loggerInto(lines).info({ images: 3 }, 'labelled');
    expect(lines).toEqual([
      { level: 'info', time: expect.any(Number) as unknown, service: 'test', images: 3, msg: 'labelled' },
    ]);
  });

  it('logging - an error is logged with its code and stack', () => {
    const lines: Record<string, unknown>[] = [];
    loggerInto(lines).error({ err: new NotFoundError('gone', { code: 'RUN_NOT_FOUND' }) }, 'failed');
    expect(lines[0]!['err']).toMatchObject({
      message: 'gone',
      code: 'RUN_NOT_FOUND',
      stack: expect.any(String) as unknown,
    });
  });

  it.each(REDACTED_FIELDS)('logging - %s is redacted at every level', (field) => {
    const lines: string[] = [];
    const logger = createLogger({ name: 'test', destination: { write: (line) => lines.push(line) } });
    logger.info({ [field]: 'hush' }, 'one');
    logger.info({ request: { [field]: 'hush' } }, 'two');
    logger.info({ request: { headers: { [field]: 'hush' } } }, 'three');
    expect(lines).toHaveLength(3);
    for (const line of lines) {
      expect(line).not.toContain('hush');
      expect(line).toContain('[redacted]');
    }
  });

  it('logging - what is below the level is not written', () => {
    const lines: unknown[] = [];
    createLogger({ name: 't', level: 'warn', destination: { write: (line) => lines.push(line) } }).info({}, 'quiet');
    expect(lines).toEqual([]);
  });

  it('logging - lines carry the ids of the active span, and none without one', () => {
    context.setGlobalContextManager(new TestContextManager());
    const lines: Record<string, unknown>[] = [];
    const logger = loggerInto(lines);
    const span = trace.wrapSpanContext({ traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), traceFlags: 1 });
    context.with(trace.setSpan(context.active(), span), () => logger.info({}, 'inside'));
    logger.info({}, 'outside');
    expect(lines[0]).toMatchObject({ trace_id: 'a'.repeat(32), span_id: 'b'.repeat(16) });
    expect(lines[1]).not.toHaveProperty('trace_id');
  });

  it('telemetry - a span passes the result and the error on, with or without an SDK', async () => {
    expect(await inSpan('work', { attributes: { images: 1 } }, async () => 7)).toBe(7);
    const failure = new NotFoundError('gone');
    await expect(inSpan('work', {}, () => Promise.reject(failure))).rejects.toBe(failure);
  });
});
