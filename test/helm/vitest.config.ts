import { defineConfig } from 'vitest/config';
import { sources } from '../../vitest.config.js';

/** `npm run test:helm`: apart from the main suite, since it needs helm (npm run setup:helm). */
export default defineConfig({
  resolve: { alias: sources },
  test: { include: ['test/helm/**/*.test.ts'], root: '.', testTimeout: 60_000, hookTimeout: 60_000, maxWorkers: 2 },
});
