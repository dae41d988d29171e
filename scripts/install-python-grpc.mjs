// Gets a Python with grpcio for the independent check of the wire: `npm run setup:python-grpc`. Says where it is; with
// --find it only looks. It is a virtual environment outside the repository.
import { execFileSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

const PACKAGES = ['grpcio==1.85.1', 'grpcio-tools==1.85.1', 'setuptools==80.9.0'];
const cache = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
const folder = join(cache, 'bbdistill-tools', 'python-grpc-1.85.1');
const python = join(folder, 'bin', 'python');
// Written last: an installation that was broken off doesn't count.
const mark = join(folder, 'complete');

// What the installers say goes to standard error: standard output is the path.
const run = (command, ...args) => execFileSync(command, args, { stdio: ['ignore', 2, 2] });

function install() {
  try {
    rmSync(folder, { recursive: true, force: true });
    run('python3', '-m', 'venv', folder);
    run(python, '-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...PACKAGES);
    run('touch', mark);
  } catch (error) {
    console.error(
      `grpcio could not be installed (${error.message}): install Python 3.9 or newer with its venv module ` +
        '(Debian and Ubuntu: python3-venv) and run this again',
    );
    process.exit(1);
  }
}

const isThere = () => existsSync(mark);
if (!isThere() && !process.argv.includes('--find')) install();
if (isThere()) console.log(python);
process.exit(isThere() ? 0 : 1);
