import type { LimitHint } from '../teacher.js';

/** No teacher's word holds calls back for longer: a mistyped header must not stop a run for ever. */
export const MAX_RETRY_AFTER_MS = 24 * 3600 * 1000;

/** The part of `Headers` that is read here. */
export interface HeaderSource {
  get(name: string): string | null;
  forEach(callback: (value: string, name: string) => void): void;
}

/** `Retry-After`: seconds or an HTTP date, as milliseconds from now. */
export function retryAfter(header: string | null, nowMs: number): number | undefined {
  if (header === null) return undefined;
  const text = header.trim();
  const seconds = Number(text);
  if (text !== '' && Number.isFinite(seconds)) return boundedWaitMs(seconds * 1000);
  const dateMs = Date.parse(text);
  return Number.isNaN(dateMs) ? undefined : boundedWaitMs(dateMs - nowMs);
}

/** The longest wait that any header asks for. */
export function retryAfterOf(headers: HeaderSource, nowMs: number): number | undefined {
  const millis = ['retry-after-ms', 'x-ms-retry-after-ms'].map((name) => {
    const value = Number(headers.get(name) ?? Number.NaN);
    return Number.isFinite(value) ? boundedWaitMs(value) : undefined;
  });
  return longest([retryAfter(headers.get('retry-after'), nowMs), ...millis]);
}

export function longest(waits: readonly (number | undefined)[]): number | undefined {
  const known = waits.filter((wait) => wait !== undefined);
  return known.length > 0 ? Math.max(...known) : undefined;
}

/** `1.5s`, `250ms`, `6m0s`, `1h2m3s`, as milliseconds. */
export function durationMs(text: string): number | undefined {
  const parts = [...text.trim().matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)];
  if (parts.length === 0 || parts.map(([part]) => part).join('') !== text.trim()) return undefined;
  return boundedWaitMs(parts.reduce((sum, [, amount, unit]) => sum + Number(amount) * UNIT_MS[unit!]!, 0));
}

const UNIT_MS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const WINDOW_MS: Record<string, number> = { second: 1000, minute: 60_000, hour: 3_600_000, day: 86_400_000 };

/** What the headers of an answer say of limits; what can't be read is left out. */
export function limitHints(headers: HeaderSource, nowMs: number): LimitHint[] {
  return [...policyHints(headers), ...familyHints(headers, nowMs)];
}

/** IETF drafts of `RateLimit` and `RateLimit-Policy`: `"burst";q=100;w=60` with `"burst";r=20;t=30`, and the older forms. */
function policyHints(headers: HeaderSource): LimitHint[] {
  const hints = new Map<string, LimitHint>();
  const hintOf = (name: string) => {
    let hint = hints.get(name);
    if (!hint) hints.set(name, (hint = { source: name ? `RateLimit "${name}"` : 'RateLimit', unit: 'calls' }));
    return hint;
  };
  for (const { name, parameters } of structuredList(headers.get('ratelimit-policy'))) {
    // Before draft 8 the item was the quota itself: 100;w=60
    const isQuota = /^\d+$/.test(name);
    const hint = hintOf(isQuota ? '' : name);
    set(hint, 'limit', isQuota ? Number(name) : natural(parameters.get('q')));
    set(hint, 'windowMs', seconds(parameters.get('w')));
    hint.unit = unitOf(parameters.get('qu') ?? 'requests');
  }
  for (const { name, parameters } of structuredList(headers.get('ratelimit'))) {
    const older = /^(limit|remaining|reset)=(\d+)$/.exec(name);
    if (older) {
      const hint = hintOf('');
      if (older[1] === 'limit') hint.limit = Number(older[2]);
      else if (older[1] === 'remaining') hint.remaining = Number(older[2]);
      else set(hint, 'resetMs', seconds(older[2]));
      continue;
    }
    const hint = hintOf(name);
    set(hint, 'remaining', natural(parameters.get('r')));
    set(hint, 'resetMs', seconds(parameters.get('t')));
  }
  return [...hints.values()];
}

const FAMILY = /^(?:x-)?rate-?limit-(limit|remaining|reset)(?:-(.+))?$/;

/** `RateLimit-Limit`, `X-RateLimit-Remaining`, `X-RateLimit-Reset-Requests` and their like, grouped by their ending. */
function familyHints(headers: HeaderSource, nowMs: number): LimitHint[] {
  const hints = new Map<string, LimitHint>();
  headers.forEach((value, header) => {
    const found = FAMILY.exec(header.toLowerCase());
    if (!found) return;
    const ending = found[2] === 'after' ? '' : (found[2] ?? '');
    let hint = hints.get(ending);
    if (!hint) {
      const source = ending ? `X-RateLimit ${ending}` : 'X-RateLimit';
      hints.set(ending, (hint = { source, unit: unitOf(ending || 'requests') }));
    }
    set(hint, 'windowMs', WINDOW_MS[ending]);
    if (found[1] === 'limit') {
      const [first] = structuredList(value);
      set(hint, 'limit', natural(first?.name));
      set(hint, 'windowMs', seconds(first?.parameters.get('w')));
    } else if (found[1] === 'remaining') set(hint, 'remaining', natural(value));
    else set(hint, 'resetMs', resetMs(value, nowMs));
  });
  return [...hints.values()].filter((hint) => Object.keys(hint).length > 2);
}

// Beyond any delay that a server asks for: such a number of seconds, or milliseconds, is a date.
const EPOCH_SECONDS = 1e9;
const EPOCH_MS = 1e12;

/** Seconds from now, a Unix time, a duration or a date. */
function resetMs(text: string, nowMs: number): number | undefined {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) return durationMs(text) ?? retryAfter(text, nowMs);
  if (value >= EPOCH_MS) return boundedWaitMs(value - nowMs);
  if (value >= EPOCH_SECONDS) return boundedWaitMs(value * 1000 - nowMs);
  return boundedWaitMs(value * 1000);
}

function unitOf(word: string): LimitHint['unit'] {
  if (word in WINDOW_MS || /request|call/.test(word)) return word.includes('concurrent') ? 'concurrent-calls' : 'calls';
  if (word.includes('image')) return 'images';
  if (word.includes('byte')) return 'bytes';
  return 'unknown';
}

interface ListItem {
  name: string;
  parameters: Map<string, string>;
}

/** A list of RFC 9651 as far as limits use it: `name;key=value, "quoted";key="value"`. */
function structuredList(header: string | null): ListItem[] {
  if (header === null) return [];
  return splitOutsideQuotes(header, ',').map((item) => {
    const [name = '', ...rest] = splitOutsideQuotes(item, ';');
    const parameters = rest.map((parameter): [string, string] => {
      const at = parameter.indexOf('=');
      return at < 0 ? [parameter, ''] : [parameter.slice(0, at), unquoted(parameter.slice(at + 1))];
    });
    return { name: unquoted(name), parameters: new Map(parameters) };
  });
}

function splitOutsideQuotes(text: string, separator: string): string[] {
  const parts: string[] = [];
  let part = '';
  let quoted = false;
  for (const character of text) {
    if (character === '"') quoted = !quoted;
    if (character === separator && !quoted) {
      parts.push(part.trim());
      part = '';
    } else part += character;
  }
  return [...parts, part.trim()].filter((each) => each !== '');
}

const unquoted = (text: string) => text.replace(/^"(.*)"$/, '$1');

function natural(text: string | undefined): number | undefined {
  const value = text === undefined || text.trim() === '' ? Number.NaN : Number(text);
  return Number.isFinite(value) && value >= 0 ? value : undefined;
}

function seconds(text: string | undefined): number | undefined {
  const value = natural(text);
  return value === undefined ? undefined : boundedWaitMs(value * 1000);
}

function set(hint: LimitHint, key: 'limit' | 'windowMs' | 'remaining' | 'resetMs', value: number | undefined): void {
  if (value !== undefined) hint[key] = value;
}

/** The wait, within {@link MAX_RETRY_AFTER_MS}. */
export function boundedWaitMs(ms: number): number {
  return Math.min(MAX_RETRY_AFTER_MS, Math.max(0, ms));
}
