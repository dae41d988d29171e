import { serveWorkerTask } from '@bbdistill/common/base';
import { createEngine } from './select.js';
import type { ChosenEngine, ProbeInput } from './select.js';

/** Loads an engine and says what it is. */
serveWorkerTask<ProbeInput, ChosenEngine>(async ({ engine, gpu }) => {
  const { name, description } = await createEngine(engine, gpu);
  return { name, description };
});
