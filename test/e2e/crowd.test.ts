import { expect, it } from 'vitest';
import { measureCrowd } from '../bench/system-crowd.js';
import { describeWithNats } from '../helpers/nats-server.js';
import { temporaryFolder } from '../helpers/temporary-folder.js';

describeWithNats('many runs at once', () => {
  /** `npm run bench:system` makes fifty, and measures how fast the API answers meanwhile. */
  it('crowd - runs of several clients all succeed, and each image is paid once', async () => {
    await using folder = await temporaryFolder();
    const found = await measureCrowd({ folder: folder.path, clients: 3, runs: 6, askEveryMs: 500 });
    expect(found.failures).toEqual([]);
    expect(found.succeeded).toBe(6);
    expect(found.billed).toBe(found.distinct);
    expect(found.metered).toBe(found.distinct);
  });
});
