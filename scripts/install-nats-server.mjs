// Gets nats-server for the tests and for running the services on this machine: `npm run setup:nats`. Says where it is;
// with --find it only looks. A copy on PATH comes first; else it is built from its Go module (JetStream's newer
// features) outside the repository, or installed as a Debian package.
import { execFileSync, spawnSync } from 'node:child_process';
import { accessSync, constants, mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';

const VERSION = '2.15.2';
const cache = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
const folder = join(cache, 'bbdistill-tools', `nats-server-${VERSION}`);

const find = () => {
  const folders = [...(process.env.PATH ?? '').split(delimiter), folder, '/usr/sbin'];
  return folders.map((each) => join(each, 'nats-server')).find(isProgram);
};

function isProgram(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

const runs = (command, ...args) => spawnSync(command, args, { stdio: 'ignore' }).status === 0;
// What the installers say goes to standard error: standard output is the path.
const run = (command, args, env = {}) =>
  execFileSync(command, args, { stdio: ['ignore', 2, 2], env: { ...process.env, ...env } });

function install() {
  if (runs('go', 'version')) {
    mkdirSync(folder, { recursive: true });
    run('go', ['install', `github.com/nats-io/nats-server/v2@v${VERSION}`], { GOBIN: folder, GOFLAGS: '-mod=mod' });
  } else if (runs('apt-get', '--version') && process.getuid?.() === 0) {
    run('apt-get', ['install', '-y', '--no-install-recommends', 'nats-server']);
  } else {
    console.error(
      `nats-server is missing: install Go and run this again, or put nats-server ${VERSION} on PATH yourself ` +
        '(Debian and Ubuntu have it as the package nats-server)',
    );
    process.exit(1);
  }
}

if (!find() && !process.argv.includes('--find')) install();
const found = find();
if (found) console.log(found);
process.exit(found ? 0 : 1);
