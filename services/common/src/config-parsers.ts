import type { Parser } from './config.js';

export interface Range {
  min?: number;
  max?: number;
}

/** Any text but the empty one. */
export const text: Parser<string> = (raw) => {
  if (typeof raw !== 'string' || raw === '') throw new Error(`must be a text, not ${shown(raw)}`);
  return raw;
};

/** One of these words. */
export function oneOf<const Word extends string>(...words: readonly Word[]): Parser<Word> {
  return (raw) => {
    const word = words.find((candidate) => candidate === raw);
    if (word === undefined) throw new Error(`must be one of ${words.join(', ')}, not ${shown(raw)}`);
    return word;
  };
}

/** A whole number. */
export function integer(range: Range = {}): Parser<number> {
  return (raw) => {
    const value = toNumber(raw);
    if (!Number.isSafeInteger(value) || !within(value, range)) {
      throw new Error(`must be a whole number${describeRange(range)}, not ${shown(raw)}`);
    }
    return value;
  };
}

/** A finite number. */
export function decimal(range: Range = {}): Parser<number> {
  return (raw) => {
    const value = toNumber(raw);
    if (!Number.isFinite(value) || !within(value, range)) {
      throw new Error(`must be a number${describeRange(range)}, not ${shown(raw)}`);
    }
    return value;
  };
}

export const flag: Parser<boolean> = (raw) => {
  if (raw === true || raw === 'true' || raw === '1') return true;
  if (raw === false || raw === 'false' || raw === '0') return false;
  throw new Error(`must be true or false, not ${shown(raw)}`);
};

/** `host:port`, e.g. `127.0.0.1:50051` or `[::1]:0`. */
export const address: Parser<string> = (raw) => {
  const match = typeof raw === 'string' ? /^(\[[0-9a-fA-F:.]+\]|[^\s:[\]]+):(\d{1,5})$/.exec(raw) : null;
  if (!match || Number(match[2]) > 65_535) throw new Error(`must be host:port, not ${shown(raw)}`);
  return match[0];
};

/** A list, or a text with commas between. */
export function listOf<T>(item: Parser<T>): Parser<readonly T[]> {
  return (raw) => {
    const items: unknown = typeof raw === 'string' ? raw.split(',').map((part) => part.trim()) : raw;
    if (!Array.isArray(items)) throw new Error(`must be a list, not ${shown(raw)}`);
    return items.map((part) => item(part));
  };
}

/** Nothing set stays `undefined`; use with `default: undefined`. */
export function optional<T>(parser: Parser<T>): Parser<T | undefined> {
  return (raw) => (raw === undefined ? undefined : parser(raw));
}

function toNumber(raw: unknown): number {
  if (typeof raw === 'number') return raw;
  return typeof raw === 'string' && raw.trim() !== '' ? Number(raw) : Number.NaN;
}

function within(value: number, { min = -Infinity, max = Infinity }: Range): boolean {
  return value >= min && value <= max;
}

function describeRange({ min, max }: Range): string {
  if (min !== undefined && max !== undefined) return ` from ${min} to ${max}`;
  if (min !== undefined) return ` of at least ${min}`;
  return max === undefined ? '' : ` of at most ${max}`;
}

function shown(raw: unknown): string {
  return typeof raw === 'string' ? `"${raw}"` : (JSON.stringify(raw) ?? String(raw));
}
