import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ADDON_PATH } from './native-kernels.js';
import { returnFreedMemory } from './heap.js';

const isGlibc = 'glibcVersionRuntime' in (process.report.getReport() as { header: object }).header;

describe('heap', () => {
  it('gives large blocks back where the addon and glibc are, and says where it does not', () => {
    expect(returnFreedMemory()).toBe(existsSync(ADDON_PATH) && isGlibc);
  });
});
