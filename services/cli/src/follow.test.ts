import { UnavailableError } from '@bbdistill/common';
import { describe, expect, it } from 'vitest';
import { serve } from '../../../test/helpers/grpc.js';
import { cancelRun } from './follow.js';

const SERVICE = 'bbdistill.v1.DistillationService';

describe('cancelRun', () => {
  it('an orchestrator that starts again - hears of it', async () => {
    const heard: string[] = [];
    let isAway = true;
    await using served = await serve(SERVICE, {
      CancelRun({ runId }) {
        heard.push(runId);
        if (heard.length === 3) isAway = false;
        if (isAway) throw new UnavailableError('starting', { code: 'UNAVAILABLE' });
        return Promise.resolve({});
      },
    });
    await cancelRun(served.client, 'abc');
    expect(heard).toEqual(['abc', 'abc', 'abc']);
  });

  it('an orchestrator that refuses - is said, not waited for', async () => {
    let asked = 0;
    await using served = await serve(SERVICE, {
      CancelRun() {
        asked++;
        throw new Error('a fault');
      },
    });
    await expect(cancelRun(served.client, 'abc')).rejects.toMatchObject({ kind: 'internal' });
    expect(asked).toBe(1);
  });
});
