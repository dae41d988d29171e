import { defined } from '@bbdistill/common';
import type { RunSpec__Output } from '@bbdistill/common/gen/bbdistill/v1/RunSpec.js';
import { recipeNamed } from '@bbdistill/student-trainer';
import type { RunSettings } from './run-file.js';

/** The data sets of a run, as the orchestrator knows them. */
export interface UploadedImages {
  images: string;
  test: string;
  classNames: readonly string[];
}

/**
 * The wire spec of a run: named recipes are resolved here, so that what runs is written out in full.
 * @param topology what lies at `student.topology`
 */
export function runSpecOf(settings: RunSettings, uploaded: UploadedImages, topology = ''): RunSpec__Output {
  const { synthesis, student, budget } = settings;
  const { holdOut, teacherImages, standardKd } = settings.evaluation;
  const recipe = recipeNamed(student.recipe, synthesis.source?.flip ?? false);
  const { network, topology: _path, recipe: _name, ...training } = student;
  const shares = synthesis.shares ?? {
    mixup: recipe.mix.mixupShare,
    cutmix: recipe.mix.cutmixShare,
    augmented: recipe.mix.augmentedShare,
    cvae: recipe.mix.cvaeShare,
  };
  const changed = Object.keys(defined(training)).length > 0;
  return {
    name: settings.name,
    teacher: settings.teacher,
    images: uploaded.images,
    test: uploaded.test,
    classes: settings.classes,
    classNames: [...(settings.classNames ?? uploaded.classNames)],
    synthesis: {
      images: synthesis.images,
      mixupAlpha: synthesis.mixupAlpha ?? recipe.mix.alpha,
      dropBelow: synthesis.dropBelow ?? recipe.mix.dropBelow,
      mixupShare: shares.mixup,
      cutmixShare: shares.cutmix,
      augmentedShare: shares.augmented,
      cvaeShare: shares.cvae,
      source: { ...recipe.mix.source, ...defined(synthesis.source ?? {}) },
      cvae: { ...recipe.cvae, ...defined(synthesis.cvae ?? {}) },
    },
    student: {
      network,
      topology,
      recipeName: changed ? `${recipe.name} (changed)` : recipe.name,
      recipe: { ...recipe.training, ...defined(training) },
    },
    evaluation: { teacherImages: holdOut || teacherImages, standardKd },
    budget: {
      ...(budget.images !== undefined && { images: budget.images, _images: 'images' as const }),
      ...(budget.money !== undefined && {
        moneyMicros: Math.round(budget.money * 1e6),
        _moneyMicros: 'moneyMicros' as const,
      }),
    },
    engine: settings.engine,
    threads: settings.threads ?? 0,
    overlap: settings.overlap,
    seed: settings.seed,
  };
}
