import { describe, expect, it } from 'vitest';
import { settingsFrom } from './run-file.js';
import { runSpecOf } from './run-spec.js';

const UPLOADED = { images: 'i', test: 't', classNames: ['a', 'b'] };
const settings = (over: object) =>
  settingsFrom({ name: 'n', teacher: 't', images: { path: 'p' }, classes: 2, ...over });

describe('runSpecOf', () => {
  it("writes out the paper's recipe", () => {
    const spec = runSpecOf(settings({ student: { recipe: 'paper' } }), UPLOADED);
    expect(spec.student).toMatchObject({
      recipeName: 'paper',
      recipe: { epochs: 50, batch: 64, schedule: 'constant', learningRate: 1e-3, rotationDegrees: 10, shift: 0.1 },
    });
    expect(spec.synthesis).toMatchObject({ mixupShare: 1, cutmixShare: 0, dropBelow: 0.05 });
    expect(spec.classNames).toEqual(['a', 'b']);
  });

  it('lays single settings over a recipe and says so', () => {
    const spec = runSpecOf(settings({ student: { recipe: 'paper', epochs: 3 } }), UPLOADED);
    expect(spec.student).toMatchObject({ recipeName: 'paper (changed)', recipe: { epochs: 3, batch: 64 } });
  });

  it('averages the weights of the student where the file says so', () => {
    const spec = runSpecOf(settings({ student: { recipe: 'best', emaDecay: 0.999 } }), UPLOADED);
    expect(spec.student).toMatchObject({ recipeName: 'best (changed)', recipe: { emaDecay: 0.999 } });
    expect(runSpecOf(settings({}), UPLOADED).student).toMatchObject({ recipe: { emaDecay: 0 } });
  });

  it('mirrors images before asking only where the file says that they may be mirrored', () => {
    const flipOf = (over: object) =>
      runSpecOf(settings({ student: { recipe: 'best' }, ...over }), UPLOADED).synthesis?.source?.flip;
    expect(flipOf({})).toBe(false);
    expect(flipOf({ synthesis: { source: { flip: true } } })).toBe(true);
  });

  it('turns money into whole millionths, and leaves out what has no ceiling', () => {
    expect(runSpecOf(settings({ budget: { money: 12.345678 } }), UPLOADED).budget).toEqual({
      moneyMicros: 12_345_678,
      _moneyMicros: 'moneyMicros',
    });
    expect(runSpecOf(settings({}), UPLOADED).budget).toEqual({});
  });
});
