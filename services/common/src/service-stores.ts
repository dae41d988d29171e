import { systemClock } from './clock.js';
import type { ConfigValues } from './config.js';
import type { Logger } from './logger.js';
import type { RunningService } from './service-program.js';
import type { ServiceSettings } from './service-settings.js';
import { openEmbeddedStores } from './stores/embedded/open-embedded-stores.js';
import { openNatsStores } from './stores/nats/open-nats-stores.js';
import { natsStoresOptions } from './stores/store-settings.js';
import type { StoreSettings } from './stores/store-settings.js';
import type { StoreHealth, Stores } from './stores/stores.js';
import { observe } from './telemetry.js';

const MS_PER_SECOND = 1_000;

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
  const stopObserving = stores.health ? observeStoreLink(() => stores.health!()) : () => undefined;
  try {
    const service = await start(stores);
    return {
      address: service.address,
      async stop() {
        try {
          await service.stop();
        } finally {
          stopObserving();
          await stores.close();
        }
      },
    };
  } catch (error) {
    stopObserving();
    await stores.close();
    throw error;
  }
}

/** Whether the stores can be reached, and how long the slowest of the loops on them has been silent. */
function observeStoreLink(health: () => StoreHealth): () => void {
  const stops = [
    observe('bbdistill_store_link_up', { description: '1 while the stores can be reached' }, () => [
      { value: health().connected ? 1 : 0 },
    ]),
    observe('bbdistill_store_loop_age_seconds', { description: 'since the slowest loop showed life' }, () => {
      const { oldestLoop } = health();
      return [{ value: (oldestLoop?.ageMs ?? 0) / MS_PER_SECOND }];
    }),
  ];
  return () => stops.forEach((stop) => stop());
}
