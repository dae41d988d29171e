import { hashOf } from './json.js';

const RUN_ID_CHARACTERS = 12;

/** The run that a CreateRun with this `request_id` makes, told without its answer. */
export function runIdOf(requestId: string): string {
  return hashOf({ requestId }).slice(0, RUN_ID_CHARACTERS);
}
