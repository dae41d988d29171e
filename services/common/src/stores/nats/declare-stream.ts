import type { StreamConfig } from '@nats-io/jetstream';
import { ConfigError } from '../../errors.js';
import { existsOtherwise } from './nats-errors.js';
import type { NatsLink } from './nats-link.js';

export type StreamDeclaration = Partial<StreamConfig> & { name: string; subjects: string[] };

/**
 * Makes the stream, or gives an existing one the declared limits, replicas and retention. Any number of processes may
 * do so at once.
 * @throws ConfigError where the server can't have it so
 */
export async function declareStream(link: NatsLink, declaration: StreamDeclaration): Promise<void> {
  await link.retrying(`make the stream ${declaration.name}`, async () => {
    try {
      await link.jsm.streams.add(declaration);
    } catch (thrown) {
      if (!existsOtherwise(thrown)) throw asConfigError(thrown, declaration);
      try {
        await link.jsm.streams.update(declaration.name, declaration);
      } catch (updating) {
        throw asConfigError(updating, declaration);
      }
    }
  });
}

const REPLICAS_NOT_SUPPORTED = 10074;
const NO_SUITABLE_PEERS = 10005;
const IMMUTABLE = 10052;

function asConfigError(thrown: unknown, { name, num_replicas: replicas }: StreamDeclaration): unknown {
  const code = (thrown as { code?: unknown }).code;
  if (code === REPLICAS_NOT_SUPPORTED || code === NO_SUITABLE_PEERS) {
    return new ConfigError(
      `this NATS can't keep ${replicas} replicas of ${name}: have as many servers, or ask for less`,
      {
        cause: thrown,
      },
    );
  }
  if (code === IMMUTABLE) {
    return new ConfigError(
      `the stream ${name} is there with a setting that can't be changed (${(thrown as Error).message}): ` +
        'choose another namespace, or move the stream by hand',
      { cause: thrown },
    );
  }
  return thrown;
}
