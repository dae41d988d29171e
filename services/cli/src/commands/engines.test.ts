import { describe, expect, it } from 'vitest';
import { main } from '../program.js';

async function run(...argv: string[]): Promise<{ code: number; text: string }> {
  const lines: string[] = [];
  const output = { stdout: (line: string) => void lines.push(line), stderr: () => undefined, interactive: false };
  const code = await main(argv, output);
  return { code, text: lines.join('\n') };
}

/** Where TensorFlow is set up, it is loaded twice. */
const TIMEOUT_MS = 120_000;

describe('bbdistill engines', { timeout: TIMEOUT_MS }, () => {
  it('lists what loads with its description, what does not with the reason, and what auto takes', async () => {
    const { code, text } = await run('engines');
    expect(code).toBe(0);
    expect(text).toMatch(/^wasm {12}yes {2}own kernels, WebAssembly SIMD 128 bit/m);
    expect(text).toMatch(/^tensorflow-gpu {2}(yes {2}@tensorflow\/tfjs-node-gpu|no {3}(there is no|@tensorflow).*)/m);
    expect(text.match(/\(auto\)$/gm)).toHaveLength(1);
  });

  it('says the same to machines', async () => {
    const { text } = await run('engines', '--json');
    const { auto, engines } = JSON.parse(text) as { auto: string; engines: { name: string; loads: boolean }[] };
    expect(engines.map(({ name }) => name)).toEqual(['native', 'wasm', 'tensorflow-gpu', 'tensorflow', 'webgpu']);
    expect(engines.find(({ name }) => name === auto)?.loads).toBe(true);
    expect(engines).toContainEqual(expect.objectContaining({ name: 'wasm', loads: true }));
  });
});
