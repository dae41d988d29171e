import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { tryRun } from './toolchain.js';

test('the chart’s README says what values.yaml says', () => {
  const script = fileURLToPath(new URL('../../scripts/chart-readme.mjs', import.meta.url));
  const { ok, stderr } = tryRun(process.execPath, [script, '--check']);
  expect(ok, stderr).toBe(true);
});
