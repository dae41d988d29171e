import { createRequire } from 'node:module';

/** Of all packages together, as they are released. */
export const BBDISTILL_VERSION: string = (createRequire(import.meta.url)('../package.json') as { version: string })
  .version;
