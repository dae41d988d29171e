import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

/** Tests read the sources of the workspaces, so that a stale build never hides a change. */
const source = (service: string) => fileURLToPath(new URL(`services/${service}/src/index.ts`, import.meta.url));
const services = [
  'common',
  'compute',
  'teacher-proxy',
  'synthesis',
  'student-trainer',
  'orchestrator',
  'client',
  'cli',
];
/** Each workspace's name and its source. */
export const sources = {
  // Before its prefix.
  '@bbdistill/common/base': fileURLToPath(new URL('services/common/src/base.ts', import.meta.url)),
  ...Object.fromEntries(services.map((service) => [`@bbdistill/${service}`, source(service)])),
};

export const project = (name: string, include: string[], testTimeout: number) => ({
  resolve: { alias: sources },
  test: { name, include, testTimeout, hookTimeout: 60_000, restoreMocks: true },
});

export default defineConfig({
  test: {
    maxWorkers: 2,
    projects: [
      project('unit', ['services/*/src/**/*.test.ts'], 30_000),
      project('contract', ['test/contract/**/*.test.ts'], 60_000),
      project('integration', ['test/integration/**/*.test.ts'], 120_000),
      project('e2e', ['test/e2e/**/*.test.ts'], 300_000),
    ],
  },
});
