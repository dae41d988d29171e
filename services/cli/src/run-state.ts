import type { RunState__Output } from '@bbdistill/common/gen/bbdistill/v1/RunState.js';

/** For people, e.g. `budget exhausted`. */
export function stateWords(state: RunState__Output): string {
  return state.replace('RUN_STATE_', '').toLowerCase().replaceAll('_', ' ');
}
