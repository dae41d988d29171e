// Where a native addon finds Node's headers: Node's own, or those that node-gyp fetched once for another package; never
// fetched for us.
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';

/** The folder with node_api.h, or undefined; and where it was looked for. */
export function findNodeHeaders() {
  const { nodedir } = process.config.variables;
  const candidates = [
    process.env.npm_config_nodedir && join(process.env.npm_config_nodedir, 'include', 'node'),
    join(dirname(dirname(process.execPath)), 'include', 'node'),
    nodedir && join(nodedir, 'include', 'node'),
    join(homedir(), '.cache', 'node-gyp', process.versions.node, 'include', 'node'),
    join(homedir(), 'Library', 'Caches', 'node-gyp', process.versions.node, 'include', 'node'),
  ].filter(Boolean);
  return { found: candidates.find((candidate) => existsSync(join(candidate, 'node_api.h'))), candidates };
}
