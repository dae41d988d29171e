export { evaluateStudent } from './evaluate.js';
export type { Evaluation, TeacherAnswers } from './evaluate.js';
export { exportStudent } from './export.js';
export type { BundleFile, BundleOptions } from './export.js';
export { BEST_RECIPE, PAPER_RECIPE, RECIPE_NAMES, recipeNamed } from './recipes.js';
export type { MixRecipe, Recipe } from './recipes.js';
export { DEFAULT_CHECKPOINT_INTERVAL_MS, trainStudent } from './train.js';
export type { TrainedStudent, TrainingData, TrainingHooks, TrainingPlan } from './train.js';
