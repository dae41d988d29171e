import { expect, it } from 'vitest';
import { runChaos } from '../chaos/chaos.js';
import { verdictOf } from '../chaos/verdict.js';
import { describeWithNats } from '../helpers/nats-server.js';
import { temporaryFolder } from '../helpers/temporary-folder.js';

/** `npm run chaos` kills a hundred times. */
const KILLS = 6;
/** With it NATS and each of the services are hit. */
const SEED = 4;

describeWithNats('chaos', () => {
  it('kills - at random, NATS included: every run succeeds, nothing is paid twice or left behind', async () => {
    await using folder = await temporaryFolder();
    const said: string[] = [];
    const result = await runChaos({
      folder: folder.path,
      kills: KILLS,
      seed: SEED,
      concurrentRuns: 1,
      say: (line) => said.push(line),
    });
    expect(verdictOf(result), said.join('\n')).toEqual([]);
    expect(Object.values(result.kills).reduce((sum, kills) => sum + kills, 0)).toBe(KILLS);
  });
});
