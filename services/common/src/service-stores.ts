import { systemClock } from './clock.js';
import type { ConfigValues } from './config.js';
import type { Logger } from './logger.js';
import type { RunningService } from './service-program.js';
import type { ServiceSettings } from './service-settings.js';
import { openEmbeddedStores } from './stores/embedded/open-embedded-stores.js';
import { openNatsStores } from './stores/nats/open-nats-stores.js';
import { natsStoresOptions } from './stores/store-settings.js';
import type { StoreSettings } from './stores/store-settings.js';
import type { Stores } from './stores/stores.js';

type Settings = Pick<ConfigValues<ServiceSettings>, 'state'> & ConfigValues<StoreSettings>;

/**
 * The stores that the settings name: in NATS, shared with other processes, or in a folder of this one.
 * @throws UnavailableError where no NATS answers
 * @throws ConfigError where NATS can't have the streams so, a file can't be read, or another process has the folder
 */
export async function openStores(values: Settings, logger: Logger): Promise<Stores> {
  const { natsUrl, state } = values;
  if (natsUrl === undefined) return openEmbeddedStores({ folder: state, clock: systemClock });
  return openNatsStores({ ...natsStoresOptions({ ...values, natsUrl }), clock: systemClock, logger });
}

/** Starts a service on the stores of its settings and closes them after it. */
export async function startOnStores(
  values: Settings,
  logger: Logger,
  start: (stores: Stores) => Promise<RunningService>,
): Promise<RunningService> {
  const stores = await openStores(values, logger);
  try {
    const service = await start(stores);
    return {
      address: service.address,
      async stop() {
        try {
          await service.stop();
        } finally {
          await stores.close();
        }
      },
    };
  } catch (error) {
    await stores.close();
    throw error;
  }
}
