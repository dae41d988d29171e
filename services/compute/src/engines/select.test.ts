import { describe, expect, it } from 'vitest';
import { addonInstructionSets } from '../../../../test/helpers/kernel-families.js';
import type { EngineName } from '../engine.js';
import { chooseEngine, createEngine, isolationOf } from './select.js';
import type { EngineCandidate } from './select.js';
import { createWasmEngine } from './wasm.js';

function candidate(name: EngineCandidate['name'], change: Partial<EngineCandidate> = {}): EngineCandidate {
  const usesGpu = name === 'tensorflow-gpu' || name === 'webgpu';
  const isolation = usesGpu ? 'process' : 'thread';
  return { name, usesGpu, inAuto: true, isolation, create: async () => ({ ...createWasmEngine(), name }), ...change };
}

describe('engine selection - auto', () => {
  it('takes the native kernels where they are built, else WebAssembly, and any of them by name', async () => {
    const best = addonInstructionSets().length > 0 ? 'native' : 'wasm';
    expect((await createEngine('auto', 'preferred')).name).toBe(best);
    expect((await createEngine(best, 'never')).name).toBe(best);
    expect((await createEngine('wasm', 'never')).name).toBe('wasm');
  });

  it('takes the first of the ladder that loads and passes over those by name only', async () => {
    const broken = async () => Promise.reject(new Error('no such library'));
    const ladder = [
      candidate('tensorflow-gpu', { create: broken }),
      candidate('tensorflow', { inAuto: false }),
      candidate('native'),
      candidate('wasm'),
    ];
    expect((await createEngine('auto', 'preferred', ladder)).name).toBe('native');
    expect((await createEngine('tensorflow', 'preferred', ladder)).name).toBe('tensorflow');
  });

  it('leaves GPU engines out where gpu is never', async () => {
    const ladder = [candidate('tensorflow-gpu'), candidate('wasm')];
    expect((await createEngine('auto', 'never', ladder)).name).toBe('wasm');
    await expect(createEngine('tensorflow-gpu', 'never', ladder)).rejects.toThrow(/gpu is 'never'/);
  });

  it('takes only a GPU engine where one is required', async () => {
    const ladder = [candidate('native'), candidate('tensorflow-gpu')];
    expect((await createEngine('auto', 'required', ladder)).name).toBe('tensorflow-gpu');
  });
});

describe('engine selection - refusals', () => {
  it('an engine that is not built in is refused with those that are', async () => {
    await expect(createEngine('tensorflow-gpu', 'preferred', [candidate('native'), candidate('wasm')])).rejects.toThrow(
      'engine: tensorflow-gpu is not in this build; here are: native, wasm',
    );
  });

  it('a name that is no engine is refused with the names', async () => {
    await expect(createEngine('cuda' as EngineName, 'preferred')).rejects.toThrow(
      /'cuda' is not known; use one of auto/,
    );
  });

  it('a required GPU is never replaced by a CPU; the message names what was found', async () => {
    const none = createEngine('auto', 'required', [candidate('wasm')], () => 'GPU devices: none');
    await expect(none).rejects.toThrow(/for engine: auto \(GPU devices: none\); set gpu: preferred/);
    const unused = createEngine('wasm', 'required', [candidate('wasm')], () => 'GPU devices: nvidia0');
    await expect(unused).rejects.toThrow(/GPU devices: nvidia0/);
    const failing = candidate('tensorflow-gpu', { create: async () => Promise.reject(new Error('no libcudart')) });
    await expect(createEngine('auto', 'required', [failing, candidate('wasm')], () => '')).rejects.toThrow(
      /no libcudart/,
    );
    const here = createEngine('auto', 'required');
    await expect(here).rejects.toMatchObject({
      code: 'GPU_REQUIRED',
      message: expect.stringMatching(
        /GPU devices: .*; NVIDIA driver: .*; cards: .*; CUDA libraries: .*tensorflow-gpu: /,
      ) as unknown,
    });
  });

  it('an engine that does not load is told with its reason', async () => {
    const failing = candidate('native', { create: async () => Promise.reject(new Error('wrong ABI')) });
    await expect(createEngine('native', 'preferred', [failing])).rejects.toThrow(
      /could not be started; native: wrong ABI/,
    );
  });
});

describe('engine selection - for tasks', () => {
  it('names the engine that a thread or a process will have', async () => {
    const best = addonInstructionSets().length > 0 ? 'native' : 'wasm';
    expect(await chooseEngine('auto', 'never')).toMatchObject({ name: best });
    expect(await chooseEngine('wasm', 'preferred')).toMatchObject({
      name: 'wasm',
      description: expect.stringContaining('SIMD') as unknown,
    });
    expect([isolationOf('auto'), isolationOf('native'), isolationOf('tensorflow-gpu')]).toEqual([
      'thread',
      'thread',
      'process',
    ]);
  });

  it('a GPU engine that can not be had is told from its own process with its reason', async () => {
    await expect(chooseEngine('auto', 'required')).rejects.toMatchObject({
      code: 'GPU_REQUIRED',
      message: expect.stringMatching(
        /tensorflow-gpu: .*(is not installed; npm run setup:gpu|no NVIDIA GPU)/,
      ) as unknown,
    });
  });
});
