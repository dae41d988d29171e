import { randomUUID } from 'node:crypto';
import type { RootDatabase } from 'lmdb';
import { ConfigError } from '../../errors.js';
import { isRunning, thisProcess } from '../../process-identity.js';
import type { ProcessIdentity } from '../../process-identity.js';

interface Holder extends ProcessIdentity {
  token: string;
}

const HOLDER_KEY = 'holder';

/** Tokens of the locks that this process holds. */
const heldHere = new Set<string>();

/**
 * Makes this process the only one that uses a state folder. lmdb's write lock, which the system frees when a process
 * dies, makes looking and taking one step; a holder that was killed is known by its process id and start time.
 * @returns the release
 * @throws ConfigError naming folder and process id
 */
export function lockFolder(root: RootDatabase, folder: string): () => void {
  const database = root.openDB<Holder, string>({ name: 'lock', encoding: 'json' });
  const mine: Holder = { ...thisProcess(), token: randomUUID() };
  const holder = root.transactionSync(() => {
    const found = database.get(HOLDER_KEY);
    if (found && isAlive(found)) return found;
    database.putSync(HOLDER_KEY, mine);
    return mine;
  });
  if (holder !== mine) {
    throw new ConfigError(
      `the state folder ${folder} is in use by process ${holder.pid}: stop that one, or choose another folder`,
      { code: 'STATE_FOLDER_LOCKED' },
    );
  }
  heldHere.add(mine.token);
  return () => {
    heldHere.delete(mine.token);
    root.transactionSync(() => {
      if (database.get(HOLDER_KEY)?.token === mine.token) database.removeSync(HOLDER_KEY);
    });
  };
}

function isAlive(holder: Holder): boolean {
  if (holder.pid === process.pid) return heldHere.has(holder.token);
  return isRunning(holder);
}
