// Gets Prometheus and promtool for the tests of what is scraped: `npm run setup:prometheus`. Says where they are; with
// --find it only looks. Copies on PATH come first; else the Debian package is installed.
import { execFileSync, spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

const PROGRAMS = ['prometheus', 'promtool'];

const find = (program) =>
  [...(process.env.PATH ?? '').split(delimiter), '/usr/bin'].map((folder) => join(folder, program)).find(isProgram);

function isProgram(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

const missing = () => PROGRAMS.filter((program) => !find(program));

if (missing().length > 0 && !process.argv.includes('--find')) {
  const hasApt = spawnSync('apt-get', ['--version'], { stdio: 'ignore' }).status === 0;
  if (!hasApt || process.getuid?.() !== 0) {
    console.error(`${missing().join(' and ')} missing: put them on PATH (Debian and Ubuntu: the package prometheus)`);
    process.exit(1);
  }
  // What apt says goes to standard error: standard output is the paths.
  const apt = (...words) => execFileSync('apt-get', words, { stdio: ['ignore', 2, 2] });
  if (spawnSync('apt-cache', ['show', 'prometheus'], { stdio: 'ignore' }).status !== 0) apt('update');
  apt('install', '-y', '--no-install-recommends', 'prometheus');
}
if (missing().length > 0) process.exit(1);
for (const program of PROGRAMS) console.log(find(program));
