// Sets up the engines `tensorflow` (--cpu, `npm run setup:tensorflow`) and `tensorflow-gpu` (--gpu, `npm run
// setup:gpu`) in deploy/tensorflow/node_modules: installs @tensorflow/tfjs-node(-gpu) from the lock file there and
// compiles its addon against the TensorFlow of PyPI's wheel, because the libtensorflow that the package would fetch is
// version 2.9, whose CUDA 11.2 knows no current GPU.
//   --copy   puts the libraries beside the addon instead of linking to the cache: for images
//   --check  builds nothing; says whether the engine is there, exit status 1 where it isn't
// Wants Linux on x86-64, a C++ compiler, Node's headers and Python with pip. Versions and hashes: deploy/tensorflow/.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { findNodeHeaders } from './node-headers.mjs';

const { values: options } = parseArgs({
  options: {
    cpu: { type: 'boolean', default: false },
    gpu: { type: 'boolean', default: false },
    copy: { type: 'boolean', default: false },
    check: { type: 'boolean', default: false },
  },
});
if (options.cpu === options.gpu) fail('say for which device: --cpu or --gpu');

const device = options.gpu ? 'gpu' : 'cpu';
const folder = fileURLToPath(new URL('../deploy/tensorflow/', import.meta.url));
const packageName = options.gpu ? '@tensorflow/tfjs-node-gpu' : '@tensorflow/tfjs-node';
const packageFolder = join(folder, 'node_modules', packageName);
const wheelList = join(folder, `wheels-${device}.txt`);
const cacheRoot = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'bbdistill-tools');

/** Any Python's pip gets the wheels of this one: only the libraries in them are used. */
const WHEEL_TAGS = [
  ...['--implementation', 'cp', '--python-version', '3.11', '--abi', 'cp311', '--abi', 'none'],
  ...['manylinux_2_27_x86_64', 'manylinux_2_25_x86_64', 'manylinux2014_x86_64', 'manylinux2010_x86_64'].flatMap(
    (platform) => ['--platform', platform],
  ),
];

/** What of a wheel the addon needs; the libraries look for CUDA's in ../nvidia beside them. */
const UNPACK = `
import sys, zipfile
target, *wheels = sys.argv[1:]
for wheel in wheels:
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            library = name.startswith(('tensorflow/libtensorflow_', 'nvidia/')) and '.so' in name
            if library or name.startswith('tensorflow/include/') or 'dist-info/licenses' in name.lower() or name.endswith('dist-info/LICENSE'):
                archive.extract(name, target)
`;

function fail(message) {
  console.error(`build-tensorflow-addon: ${message}`);
  process.exit(1);
}

function run(command, args, settings = {}) {
  try {
    return execFileSync(command, args, { stdio: ['ignore', 'pipe', 'inherit'], encoding: 'utf8', ...settings });
  } catch (error) {
    fail(error.code === 'ENOENT' ? `${command} is missing: install it and run this again` : error.message);
  }
}

function firstCommand(commands, what) {
  const found = commands.find((command) => {
    try {
      execFileSync(command, ['--version'], { stdio: 'ignore' });
      return true;
    } catch {
      return false;
    }
  });
  return found ?? fail(`no ${what} (${commands.join(', ')}): install one and run this again`);
}

/** The engine as a process of its own sees it: TensorFlow's version and whether it has a GPU. */
function tryEngine(stderr) {
  const script = `
    const tf = require(process.argv[1]);
    const { binding, isUsingGpuDevice } = tf.backend();
    console.log(tf.scalar(2).square().dataSync()[0] === 4 && binding.TF_Version + (isUsingGpuDevice ? ', on a GPU' : ', on the CPU'));
  `;
  // Node 23 has no isNullOrUndefined any more, which the package calls.
  const shim = `require('util').isNullOrUndefined ??= (value) => value === null || value === undefined;`;
  const env = { TF_CPP_MIN_LOG_LEVEL: '2', ...process.env };
  return execFileSync(process.execPath, ['-e', shim + script, packageFolder], {
    stdio: ['ignore', 'pipe', stderr],
    encoding: 'utf8',
    env,
  }).trim();
}

/** The folder with tensorflow/ and, for a GPU, nvidia/ of the wheels in the list; fetched once. */
function wheelContents() {
  const list = readFileSync(wheelList);
  const version = /^tensorflow(?:-cpu)?==(\S+)/m.exec(list)?.[1];
  const stamp = createHash('sha256').update(list).update(UNPACK).digest('hex').slice(0, 12);
  const cached = join(cacheRoot, `tensorflow-${device}-${version}-${stamp}`);
  if (existsSync(cached)) return cached;
  const python = firstCommand(['python3', 'python'], 'Python');
  mkdirSync(cacheRoot, { recursive: true });
  const work = mkdtempSync(join(cacheRoot, 'tensorflow-'));
  try {
    console.error(`fetching TensorFlow ${version}${options.gpu ? ' and CUDA (about 3 GB)' : ' (about 270 MB)'}`);
    const wheels = join(work, 'wheels');
    run(python, [
      ...['-m', 'pip', 'download', '--quiet', '--disable-pip-version-check', '--no-deps', '--only-binary=:all:'],
      ...['--require-hashes', ...WHEEL_TAGS, '--dest', wheels, '--requirement', wheelList],
    ]);
    const unpacked = join(work, 'unpacked');
    run(python, ['-c', UNPACK, unpacked, ...readdirSync(wheels).map((name) => join(wheels, name))]);
    // Renamed into place, so that a folder of this name is always whole.
    renameSync(unpacked, cached);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return cached;
}

/** As the package's binding.gyp has it, with TensorFlow's libraries under the names that they have in the wheel. */
function compileAddon(contents) {
  const compiler = process.env.CXX ?? firstCommand(['c++', 'g++', 'clang++'], 'C++ compiler');
  const { found: headers, candidates } = findNodeHeaders();
  if (!headers) fail(`no node_api.h in ${candidates.join(', ')}: set npm_config_nodedir to where Node's headers are`);
  const addonFolder = join(packageFolder, 'lib', 'napi-v8');
  mkdirSync(addonFolder, { recursive: true });
  const tensorflow = join(contents, 'tensorflow');
  run(compiler, [
    ...['-std=c++17', '-O2', '-fPIC', '-shared', '-DNAPI_VERSION=8'],
    ...[`-I${headers}`, `-I${join(tensorflow, 'include')}`],
    ...['tfjs_backend.cc', 'tfjs_binding.cc'].map((source) => join(packageFolder, 'binding', source)),
    ...[`-L${tensorflow}`, '-l:libtensorflow_cc.so.2', '-l:libtensorflow_framework.so.2'],
    ...['-Wl,-rpath,$ORIGIN/../../deps/lib', '-o', join(addonFolder, 'tfjs_binding.node')],
  ]);
}

function placeLibraries(contents) {
  const deps = join(packageFolder, 'deps');
  rmSync(deps, { recursive: true, force: true });
  mkdirSync(join(deps, 'lib'), { recursive: true });
  const place = (from, to) => (options.copy ? cpSync(from, to, { recursive: true }) : symlinkSync(from, to));
  for (const name of ['libtensorflow_cc.so.2', 'libtensorflow_framework.so.2']) {
    place(join(contents, 'tensorflow', name), join(deps, 'lib', name));
  }
  if (options.gpu) place(join(contents, 'nvidia'), join(deps, 'nvidia'));
}

if (options.check) {
  try {
    console.log(`${packageName}: TensorFlow ${tryEngine('ignore')}`);
  } catch {
    fail(`${packageName} isn't set up: run this without --check`);
  }
} else {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    fail(`the TensorFlow wheels are used on Linux x64 only, this is ${process.platform} ${process.arch}`);
  }
  // The package's own install step would fetch libtensorflow 2.9. The addon of the other device stays as it is.
  if (!existsSync(packageFolder)) {
    run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: folder, stdio: ['ignore', 2, 2] });
  }
  const contents = wheelContents();
  compileAddon(contents);
  placeLibraries(contents);
  console.log(`${packageName}: TensorFlow ${tryEngine('inherit')}`);
}
