import { defineConfig } from 'vitest/config';
import { sources } from '../../vitest.config.js';

/** `npm run test:cluster`: one control plane for all files, one after the other. */
export default defineConfig({
  resolve: { alias: sources },
  test: {
    include: ['test/cluster/**/*.test.ts'],
    root: '.',
    testTimeout: 300_000,
    hookTimeout: 300_000,
    maxWorkers: 1,
    fileParallelism: false,
    reporters: ['verbose'],
  },
});
