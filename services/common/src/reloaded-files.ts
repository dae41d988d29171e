import { readFileSync } from 'node:fs';
import type { Clock } from './clock.js';
import { CancelledError, ConfigError } from './errors.js';
import type { Logger } from './logger.js';

/** How often files are looked at; Kubernetes itself takes up to a minute to renew a mounted secret. */
export const RELOAD_INTERVAL_MS = 5_000;

export interface ReloadedOptions<T> {
  /** Named in errors and logs, e.g. `certificate`. */
  what: string;
  paths: readonly string[];
  /** @throws Error where the contents can't be used */
  parse: (contents: readonly Buffer[]) => T;
  clock: Clock;
  logger: Logger;
  /** Default {@link RELOAD_INTERVAL_MS}. */
  intervalMs?: number;
}

/**
 * What a few files say, kept up to date. Files are read by content, not by date: a renewed Kubernetes secret is another
 * folder behind the same link. New contents that can't be used are logged and the old ones stay in force.
 */
export class ReloadedFiles<T> {
  readonly #closing = new AbortController();
  readonly #listeners = new Set<(value: T) => void>();
  #contents: readonly Buffer[];
  #value: T;
  #watching: Promise<void>;

  /** @throws ConfigError where a file can't be read or its contents can't be used */
  constructor(private readonly options: ReloadedOptions<T>) {
    try {
      this.#contents = read(options.paths);
      this.#value = options.parse(this.#contents);
    } catch (cause) {
      throw new ConfigError(`${options.what} (${options.paths.join(', ')}): ${(cause as Error).message}`, { cause });
    }
    this.#watching = this.#watch();
  }

  get value(): T {
    return this.#value;
  }

  /** Calls back after every change. */
  onChange(listener: (value: T) => void): void {
    this.#listeners.add(listener);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#watching;
  }

  async #watch(): Promise<void> {
    const { clock, intervalMs = RELOAD_INTERVAL_MS } = this.options;
    try {
      for (;;) {
        await clock.sleep(intervalMs, this.#closing.signal);
        this.#look();
      }
    } catch (error) {
      if (!(error instanceof CancelledError)) throw error;
    }
  }

  #look(): void {
    const { what, paths, parse, logger } = this.options;
    let contents: readonly Buffer[];
    try {
      contents = read(paths);
    } catch (error) {
      logger.warn({ err: error, paths }, `${what}: a file can't be read; what it said before stays in force`);
      return;
    }
    if (contents.every((bytes, n) => bytes.equals(this.#contents[n]!))) return;
    // Remembered also where they are bad: it is said once.
    this.#contents = contents;
    try {
      this.#value = parse(contents);
    } catch (error) {
      logger.error({ err: error, paths }, `${what}: the new contents can't be used; the old ones stay in force`);
      return;
    }
    logger.info({ paths }, `${what}: took the new contents`);
    for (const listener of this.#listeners) listener(this.#value);
  }
}

function read(paths: readonly string[]): readonly Buffer[] {
  return paths.map((path) => readFileSync(path));
}
