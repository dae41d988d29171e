import { expect, test } from 'vitest';
import { orchestratorConfig } from '../config.js';

const load = (flags: Record<string, string>) => () => orchestratorConfig.load({ flags, env: {} });

test.each([
  [{ scalerSynthesis: 'a' }, 'scalerSynthesis and scalerStudentTrainer belong together'],
  [{ scalerNamespace: 'a' }, 'scalerNamespace say where to scale, but scalerSynthesis'],
  [{ scalerSynthesis: 'A b', scalerStudentTrainer: 'c' }, 'must be the name of a Kubernetes object, not "A b"'],
  [{ scalerIdleMs: '-1' }, 'must be a whole number from 0'],
  [{ scalerMaxReplicas: '0' }, 'must be a whole number from 1'],
])('settings %j are refused', (flags: Record<string, string>, says) => {
  expect(load(flags)).toThrow(says);
});

test('no worker is scaled unless asked for', () => {
  expect(load({})()).toMatchObject({ scalerSynthesis: undefined, scalerIdleMs: 300_000 });
});
