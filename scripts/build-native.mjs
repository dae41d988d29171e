// Builds the kernels as a Node-API addon into services/compute/native/, where a C compiler and Node's headers are;
// elsewhere training runs on the committed WebAssembly, so that a missing compiler never fails an install. Nothing is
// built anew while sources, flags, compiler and Node-API stay as they are. Why it built nothing is told where
// BBDISTILL_LOG_LEVEL is debug; --required makes that an error instead.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findNodeHeaders } from './node-headers.mjs';

const compute = fileURLToPath(new URL('../services/compute/', import.meta.url));
const kernels = join(compute, 'kernels');
const folder = join(compute, 'native');
const addon = join(folder, `${process.platform}-${process.arch}-napi.node`);
const stamp = `${addon}.stamp`;
const required = process.argv.includes('--required');

/** Best first: clang's code for these kernels is faster by a few percent. */
const COMPILERS = process.env.CC ? [process.env.CC] : ['clang', 'gcc', 'cc'];

const FLAGS = [
  ...['-std=gnu11', '-O3', '-fPIC', '-Wall', '-Wextra'],
  // Node and other addons have symbols of their own: nothing of ours may be seen by them or resolve to theirs.
  '-fvisibility=hidden',
  ...['-fno-math-errno', '-fno-trapping-math', '-ffp-contract=fast'],
];
const LINK_FLAGS =
  process.platform === 'darwin' ? ['-shared', '-undefined', 'dynamic_lookup'] : ['-shared', '-Wl,-Bsymbolic'];

/** Instruction sets besides the target's own: addon.c chooses at run time. `ROWS` is what its registers have room for. */
const VARIANTS = [
  { table: 'kernels_portable', flags: ['-DVW=4'] },
  ...(process.arch === 'x64'
    ? [
        { table: 'kernels_avx2', flags: ['-mavx2', '-mfma', '-DVW=8', '-DROWS=6'] },
        {
          table: 'kernels_avx512',
          flags: ['-mavx512f', '-mavx512bw', '-mavx512dq', '-mavx512vl', '-mfma', '-DVW=16', '-DROWS=12'],
        },
      ]
    : []),
];

class NotHere extends Error {}

function run(command, args) {
  return execFileSync(command, args, { stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8' });
}

function findCompiler() {
  if (process.platform === 'win32') throw new NotHere('the addon knows no Windows memory');
  for (const command of COMPILERS) {
    try {
      return { command, version: run(command, ['--version']) };
    } catch {
      // Not this one.
    }
  }
  throw new NotHere(`no C compiler (${COMPILERS.join(', ')})`);
}

function findHeaders() {
  const { found, candidates } = findNodeHeaders();
  if (!found) throw new NotHere(`no node_api.h in ${candidates.join(', ')}`);
  return found;
}

function fingerprint(compiler) {
  const hash = createHash('sha256');
  for (const path of [kernels, join(kernels, 'native')]) {
    for (const name of readdirSync(path).sort()) {
      if (/\.[ch]$/.test(name)) hash.update(name).update(readFileSync(join(path, name)));
    }
  }
  hash.update(JSON.stringify([compiler, FLAGS, LINK_FLAGS, VARIANTS, process.versions.napi]));
  return hash.digest('hex');
}

function build({ command }, headers) {
  mkdirSync(folder, { recursive: true });
  const work = mkdtempSync(join(folder, 'build-'));
  try {
    const objects = [];
    const compile = (source, name, flags) => {
      const object = join(work, `${name}.o`);
      run(command, [...FLAGS, ...flags, '-c', join(kernels, 'native', source), '-o', object]);
      objects.push(object);
    };
    for (const { table, flags } of VARIANTS) compile('variant.c', table, [`-DTABLE=${table}`, ...flags]);
    compile('arena.c', 'arena', []);
    compile('heap.c', 'heap', []);
    compile('addon.c', 'addon', [`-I${headers}`]);
    // Renamed into place: a process that has the old one loaded keeps it.
    const fresh = join(work, 'kernels.node');
    run(command, [...LINK_FLAGS, '-o', fresh, ...objects]);
    run(process.execPath, ['-e', 'require(process.argv[1])', fresh]);
    renameSync(fresh, addon);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

try {
  const compiler = findCompiler();
  const headers = findHeaders();
  const wanted = fingerprint(compiler);
  if (!existsSync(addon) || !existsSync(stamp) || readFileSync(stamp, 'utf8') !== wanted) {
    build(compiler, headers);
    writeFileSync(stamp, wanted);
  }
} catch (error) {
  const reason = error instanceof NotHere ? error.message : `${error.message}\n${error.stderr ?? ''}`;
  if (required) {
    console.error(`build-native: ${reason}`);
    process.exitCode = 1;
  } else if (process.env.BBDISTILL_LOG_LEVEL === 'debug') {
    console.error(`build-native: ${reason}; training will run on WebAssembly`);
  }
}
