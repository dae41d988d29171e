// Gets PyTorch for the benchmarks: `npm run setup:torch`. Says which interpreters have it, one a line: the current wheel
// from PyPI (in a virtual environment outside the repository, made where it is missing) and, where Debian's package
// python3-torch is installed, the system's Python. With --find it only looks.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';

/** onnxruntime asks the teacher in the peer of the whole recipe. */
const PACKAGES = ['torch', 'onnxruntime', 'numpy'];
const SYSTEM_PYTHON = '/usr/bin/python3';

const cache = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
const folder = join(cache, 'bbdistill-tools', 'torch');
const python = join(folder, 'bin', 'python');

const has = (interpreter, module) =>
  existsSync(interpreter) && spawnSync(interpreter, ['-c', `import ${module}`], { stdio: 'ignore' }).status === 0;
// What the installers say goes to standard error: standard output is the interpreters.
const run = (command, args) => execFileSync(command, args, { stdio: ['ignore', 2, 2] });

function install() {
  mkdirSync(dirname(folder), { recursive: true });
  if (!existsSync(python)) run('python3', ['-m', 'venv', folder]);
  run(python, ['-m', 'pip', 'install', '--disable-pip-version-check', ...PACKAGES]);
}

if (!process.argv.includes('--find') && !PACKAGES.every((module) => has(python, module))) {
  try {
    install();
  } catch (error) {
    console.error(`PyTorch could not be installed into ${folder}: ${error.message}`);
  }
}
const found = [python, SYSTEM_PYTHON].filter((interpreter) => has(interpreter, 'torch'));
for (const interpreter of found) console.log(interpreter);
process.exit(found.length > 0 ? 0 : 1);
