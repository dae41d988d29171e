// A client in TypeScript: uploads images, starts a run, watches it, downloads the student.
//
//   npx tsx deploy/examples/clients/distill.ts 127.0.0.1:7700 TEACHER images.raw 8x8x1 run-spec.json out
//
// TEACHER is one that the orchestrator knows. run-spec.json, beside this file, is of 4 classes: set "classes" there to the
// number that the teacher answers with.
// images.raw holds whole images one after another, a byte a value (height, width, channels). The token of the
// orchestrator, where it asks for one, is in BBDISTILL_TOKEN; the file of the authority that signed its certificate, where
// it speaks TLS, in BBDISTILL_CA_FILE. Run it again after a crash: the same run id goes on with the same run.
import { readFile } from 'node:fs/promises';
import { connectDistillation } from '@bbdistill/client';
import type { RunSpec } from '@bbdistill/common/gen/bbdistill/v1/RunSpec.js';

const [address = '', teacher = '', imagesFile = '', shapeText = '', specFile = '', out = ''] = process.argv.slice(2);
const [height = 0, width = 0, channels = 0] = shapeText.split('x').map(Number);
const { BBDISTILL_TOKEN: token, BBDISTILL_CA_FILE: caFile } = process.env;

const client = await connectDistillation({
  address,
  ...(token !== undefined && { token }),
  ...(caFile !== undefined && { tls: { caFile } }),
});
try {
  const pixels = await readFile(imagesFile);
  const count = pixels.length / (height * width * channels);
  const images = await client.uploadImages({ images: { pixels, count, shape: { height, width, channels } } });
  const spec = JSON.parse(await readFile(specFile, 'utf8')) as RunSpec;

  const run = await client.createRun({ ...spec, teacher, images: images.id }, `example-${images.id}`);
  process.stdout.write(`run ${run.id}\n`);
  for await (const { sequence, stage, state } of client.watchRun(run.id)) {
    if (stage) process.stdout.write(`${sequence} ${stage.name} ${stage.state} ${stage.progress?.done ?? 0}\n`);
    if (state) process.stdout.write(`${sequence} ${state}\n`);
  }

  const ended = await client.getRun(run.id);
  if (ended.state !== 'RUN_STATE_SUCCEEDED') {
    throw new Error(`the run ended ${ended.state}: ${ended.failure?.message ?? 'no reason was given'}`);
  }
  for (const file of await client.downloadAll(ended, out)) process.stdout.write(`${file}\n`);
} finally {
  client.close();
}
