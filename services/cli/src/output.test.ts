import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { lineWriter } from './output.js';

describe('lineWriter', () => {
  const failing = (code: string) => {
    const stream = new PassThrough();
    const lost: string[] = [];
    const write = lineWriter(stream, (error) => lost.push(error.message));
    stream.emit('error', Object.assign(new Error(code), { code }));
    write('more');
    return { lost, written: stream.read() as unknown };
  };

  it('writes nothing more after an error, and tells once of one that loses something', () => {
    expect(failing('EPIPE')).toEqual({ lost: [], written: null });
    expect(failing('ENOSPC')).toEqual({ lost: ['ENOSPC'], written: null });
  });

  it('takes an error that is thrown for one that is told', () => {
    const lost: string[] = [];
    const stream = new PassThrough();
    stream.write = () => {
      throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
    };
    const write = lineWriter(stream, (error) => lost.push(error.message));
    write('one');
    write('two');
    expect(lost).toEqual(['no space']);
  });
});
