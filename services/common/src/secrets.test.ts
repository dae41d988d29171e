import { describe, expect, it } from 'vitest';
import { BbdError, asBbdError } from './errors.js';
import { createLogger } from './logging.js';
import { holdSecret, redactSecrets } from './secrets.js';

const SECRET = 'pl4nted "secret"/+?';
holdSecret(SECRET);

describe('secrets', () => {
  it.each([
    ['as it is', SECRET],
    ['in JSON', JSON.stringify({ message: SECRET })],
    ['in a URL', `http://host/?key=${encodeURIComponent(SECRET)}`],
    ['in a form', `http://host/?${new URLSearchParams({ key: SECRET }).toString()}`],
    ['in base64', `Basic ${Buffer.from(SECRET).toString('base64')}`],
  ])('secrets - are taken out of a text %s', (_name, text) => {
    expect(redactSecrets(text)).toContain('[redacted]');
    expect(redactSecrets(text)).not.toContain('pl4nted');
    expect(redactSecrets(text)).not.toContain(Buffer.from(SECRET).toString('base64'));
  });

  it('secrets - what is too short to be one is left', () => {
    holdSecret('abc');
    expect(redactSecrets('abc and abcdef')).toBe('abc and abcdef');
  });

  it('secrets - no error tells them, whoever made its message', () => {
    expect(new BbdError('internal', `bad header ${SECRET}`).message).toBe('bad header [redacted]');
    expect(asBbdError(new TypeError(`bad header ${SECRET}`)).message).toBe('bad header [redacted]');
  });

  it('secrets - no log line tells them, not even the stack of a cause', () => {
    const lines: string[] = [];
    const logger = createLogger({ name: 'test', destination: { write: (line) => void lines.push(line) } });
    const error = new BbdError('internal', 'outer', { cause: new Error(`inner ${SECRET}`) });
    logger.error({ err: error, url: `http://host/${encodeURIComponent(SECRET)}` }, `saw ${SECRET}`);
    expect(lines.join('')).toContain('inner [redacted]');
    expect(lines.join('')).not.toContain('pl4nted');
  });
});
