import { InvalidArgumentError, isJsonObject } from '@bbdistill/common/base';

/** A layer of a user's topology is of a class that the engines don't know, or has a setting that they can't do. */
export class TopologyLayerError extends InvalidArgumentError {
  constructor(
    readonly layer: string,
    /** Keras' name of its class, e.g. `LSTM`. */
    readonly className: string,
    what: string,
  ) {
    super(`student.topology, layer '${layer}' (${className}): ${what}`, { code: 'LAYER_NOT_KNOWN' });
  }
}

/** The settings of one layer, as Keras writes them into a topology. What is absent has Keras' default. */
export class KerasConfig {
  constructor(
    readonly layer: string,
    readonly className: string,
    private readonly fields: Readonly<Record<string, unknown>>,
  ) {}

  wrong(what: string): TopologyLayerError {
    return new TopologyLayerError(this.layer, this.className, what);
  }

  get(key: string): unknown {
    return Object.hasOwn(this.fields, key) ? (this.fields[key] ?? undefined) : undefined;
  }

  /** @throws TopologyLayerError where it is no number, or is absent without a default */
  number(key: string, otherwise?: number): number {
    const value = this.get(key) ?? otherwise;
    if (typeof value === 'number') return value;
    throw this.wrong(`${key} (${shown(value)}) must be a number`);
  }

  flag(key: string, otherwise: boolean): boolean {
    const value = this.get(key) ?? otherwise;
    if (typeof value === 'boolean') return value;
    throw this.wrong(`${key} (${shown(value)}) must be true or false`);
  }

  /** One of these words. */
  word<Word extends string>(key: string, known: readonly Word[], otherwise: Word): Word {
    const value = this.get(key) ?? otherwise;
    const found = known.find((word) => word === value);
    if (found !== undefined) return found;
    throw this.wrong(`${key} is ${shown(value)}, which the engines can't do; known: ${known.join(', ')}`);
  }

  /** Two edges, written as a pair or as one number. */
  pair(key: string, otherwise?: readonly [number, number]): readonly [number, number] {
    const value = this.get(key) ?? otherwise;
    if (typeof value === 'number') return [value, value];
    const [height, width] = Array.isArray(value) && value.length === 2 ? (value as unknown[]) : [];
    if (typeof height === 'number' && typeof width === 'number') return [height, width];
    throw this.wrong(`${key} (${shown(value)}) must be a number or two`);
  }

  /** Refuses settings that are more than absent, null, false or 0. */
  refuse(...keys: string[]): void {
    for (const key of keys) {
      const value = this.get(key);
      if (value !== undefined && value !== false && value !== 0) {
        throw this.wrong(`${key} is ${shown(value)}, which the engines can't do; leave it out`);
      }
    }
  }

  /** A setting that is an object of Keras: its class and settings. */
  object(key: string): { className: string; config: KerasConfig } | undefined {
    const value = this.get(key);
    if (value === undefined) return undefined;
    if (typeof value === 'string') return { className: value, config: new KerasConfig(this.layer, this.className, {}) };
    const { class_name: className, config = {} } = recordOf(value) ?? {};
    const fields = recordOf(config);
    if (typeof className !== 'string' || !fields) throw this.wrong(`${key} (${shown(value)}) is no object of Keras`);
    return { className, config: new KerasConfig(this.layer, this.className, fields) };
  }
}

export function recordOf(value: unknown): Record<string, unknown> | undefined {
  return isJsonObject(value) ? value : undefined;
}

export function shown(value: unknown): string {
  return value === undefined ? 'missing' : JSON.stringify(value).slice(0, 100);
}
