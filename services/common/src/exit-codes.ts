import { asBbdError } from './errors.js';

/** What a process ends with; documented in README.md. */
export const EXIT = {
  ok: 0,
  internal: 1,
  usage: 2,
  runFailed: 3,
  budgetExhausted: 4,
  unavailable: 5,
  interrupted: 130,
} as const;

export function exitCodeOfError(thrown: unknown): number {
  switch (asBbdError(thrown).kind) {
    case 'invalid-argument':
    case 'not-found':
    case 'already-exists':
    case 'failed-precondition':
      return EXIT.usage;
    case 'budget-exhausted':
      return EXIT.budgetExhausted;
    case 'unavailable':
    case 'deadline-exceeded':
      return EXIT.unavailable;
    case 'cancelled':
      return EXIT.interrupted;
    default:
      return EXIT.internal;
  }
}

/**
 * Ends this process the way an unhandled Ctrl-C does; a shell reports it as 130. `process.exit` would first wait for the
 * thread pool, and a database write in the middle there may wait for JavaScript that no longer runs: for ever. Whatever
 * is stored survives a kill.
 */
export function leaveAtOnce(): void {
  process.removeAllListeners('SIGINT');
  process.kill(process.pid, 'SIGINT');
}
