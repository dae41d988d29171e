import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bearerToken, silentLogger } from '@bbdistill/common';
import { parseTeacherConfig } from '@bbdistill/teacher-proxy';
import { expect, it } from 'vitest';
import { startEmbedded } from '../../services/cli/src/embedded.js';
import { startChild } from '../helpers/child.js';
import { temporaryFolder } from '../helpers/temporary-folder.js';
import { tinyImages } from '../helpers/tiny-images.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const example = join(root, 'deploy/examples/api');

it('the TypeScript example goes from raw images to a student by the API alone', async () => {
  await using folder = await temporaryFolder();
  const token = 'api-token';
  const embedded = await startEmbedded({
    stateFolder: join(folder.path, 'state'),
    teachers: [parseTeacherConfig('metered', { adapter: 'fake', fake: { classes: 3 } })],
    engine: 'wasm',
    gpu: 'never',
    logger: silentLogger,
    listen: { address: '127.0.0.1:0', auth: bearerToken(token) },
  });
  try {
    // The example's own spec, but small.
    const spec = JSON.parse(readFileSync(join(example, 'spec.json'), 'utf8')) as {
      classes: number;
      synthesis: { images: number; cvae: { epochs: number } };
      student: { recipe: { epochs: number } };
    };
    spec.classes = 3;
    spec.synthesis.images = 40;
    spec.synthesis.cvae.epochs = 1;
    spec.student.recipe.epochs = 1;
    writeFileSync(join(folder.path, 'spec.json'), JSON.stringify(spec));
    writeFileSync(join(folder.path, 'images.bin'), tinyImages(30).pixels);
    const student = join(folder.path, 'student.onnx');
    const args = ['spec.json', 'images.bin'].map((name) => join(folder.path, name));
    await using run = startChild(
      process.execPath,
      ['--import', 'tsx', join(example, 'run.ts'), embedded.orchestratorAddress, ...args, '12x12x1', student],
      { cwd: root, env: { BBDISTILL_TOKEN: token } },
    );
    expect(await run.ended, run.errorOutput()).toBe(0);
    expect(run.lines[0]).toMatch(/^at most 70 images in \d+ calls$/);
    expect(run.lines.some((line) => line.startsWith('train JOB_STATE_SUCCEEDED'))).toBe(true);
    expect(statSync(student).size).toBeGreaterThan(1_000);
  } finally {
    await embedded.stop();
  }
});
