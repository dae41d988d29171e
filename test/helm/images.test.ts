import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DockerfileParser } from 'dockerfile-ast';
import type { Dockerfile, From } from 'dockerfile-ast';
import { describe, expect, test } from 'vitest';
import { temporaryFolder } from '../helpers/temporary-folder.js';
import { run, tryRun } from './toolchain.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const finder = join(root, 'scripts/install-hadolint.mjs');
const hadolint = (path: string) => tryRun(run(process.execPath, [finder, '--find']).trim(), [path]);

const files = ['Dockerfile.cpu', 'Dockerfile.gpu'].map((name) => {
  const path = join(root, 'deploy/docker', name);
  const text = readFileSync(path, 'utf8');
  return { name, path, text, parsed: DockerfileParser.parse(text) };
});

/** Instructions of the last stage. */
function ofRuntime(dockerfile: Dockerfile, keyword: string): string[] {
  const last = dockerfile.getFROMs().at(-1)!.getRange().start.line;
  return dockerfile
    .getInstructions()
    .filter((each) => each.getKeyword() === keyword && each.getRange().start.line > last)
    .map((each) => each.getArgumentsContent() ?? '');
}

/** What COPY takes from the repository, in all stages. */
const copied = (dockerfile: Dockerfile) =>
  dockerfile
    .getCOPYs()
    .filter((each) => each.getFlags().every((flag) => flag.getName() !== 'from'))
    .flatMap((each) =>
      each
        .getArguments()
        .slice(0, -1)
        .map((argument) => argument.getValue()),
    );

describe.each(files)('$name', ({ path, parsed, text }) => {
  test('passes hadolint', () => {
    const { ok, stdout } = hadolint(path);
    expect(ok, stdout).toBe(true);
  });

  test('has several stages, whose bases a release pins by digest', () => {
    const froms: From[] = parsed.getFROMs();
    expect(froms.length).toBeGreaterThan(2);
    const stages = froms.map((from) => from.getBuildStage());
    const bases = froms.map((from) => from.getArguments()[0]!.getValue()).filter((image) => !stages.includes(image));
    for (const base of bases) expect(base).toMatch(/^[a-z/]+:[\w.-]+\$\{(NODE|CUDA)_DIGEST\}$/);
    const digests = readFileSync(join(root, 'deploy/docker/digests.env'), 'utf8');
    for (const [, name] of text.matchAll(/\$\{(\w+_DIGEST)\}/g)) expect(digests).toContain(`\n${name}=`);
  });

  test('runs as a user that is not root and says how it is', () => {
    expect(ofRuntime(parsed, 'USER')).toEqual(['10001:10001']);
    expect(ofRuntime(parsed, 'HEALTHCHECK')).toHaveLength(1);
    expect(ofRuntime(parsed, 'ENTRYPOINT')).toEqual(['["node", "services/cli/bin/bbdistill.js"]']);
  });

  test('copies what there is, every workspace, and the list for a bill of materials', () => {
    for (const source of copied(parsed).filter((each) => each !== 'deploy/tensorflow')) {
      expect(existsSync(join(root, source)), source).toBe(true);
    }
    for (const service of readdirSync(join(root, 'services'))) {
      expect(copied(parsed)).toContain(`services/${service}/package.json`);
    }
    expect(copied(parsed)).toContain('package-lock.json');
  });

  test('finds what it copies in the build context', () => {
    const letIn = readFileSync(join(root, '.dockerignore'), 'utf8')
      .split('\n')
      .filter((line) => line.startsWith('!'))
      .map((line) => line.slice(1));
    for (const source of copied(parsed)) {
      expect(
        letIn.some((allowed) => source === allowed || source.startsWith(`${allowed}/`)),
        source,
      ).toBe(true);
    }
  });
});

test('hadolint finds faults', async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, 'Dockerfile');
  writeFileSync(path, 'FROM node\nRUN cd /tmp && sudo apt-get install gcc\n');
  expect(hadolint(path).ok).toBe(false);
});
