import { defineConfig } from 'vitest/config';
import { project } from './vitest.config.js';

/** Wants what `npm run setup:tensorflow` installs, so that it is no part of `npm test`. */
export default defineConfig({
  test: { projects: [project('tensorflow', ['test/tensorflow/**/*.test.ts'], 300_000)] },
});
