// Generates TypeScript types from proto/ into services/common/src/gen, or with --check says whether they are fresh.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const target = 'services/common/src/gen';
const check = process.argv.includes('--check');
const outDir = check ? mkdtempSync(join(tmpdir(), 'bbdistill-gen-')) : target;
if (!check) rmSync(target, { recursive: true, force: true });

const protoFiles = ['bbdistill/v1/orchestrator.proto', 'inference/grpc_predict_v2.proto'];
execFileSync(
  'node_modules/.bin/proto-loader-gen-types',
  [
    '--longs=Number',
    '--enums=String',
    '--defaults',
    '--oneofs',
    '--grpcLib=@grpc/grpc-js',
    '--importFileExtension=.js',
    '--targetFileExtension=.ts',
    '--includeDirs=proto',
    `--outDir=${outDir}`,
    ...protoFiles,
  ],
  { stdio: 'inherit' },
);

const filesBelow = (dir) =>
  readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(dir.length + 1))
    .sort();

// proto-loader writes type-only imports as values in some places, which verbatimModuleSyntax refuses.
for (const file of filesBelow(outDir)) {
  const path = join(outDir, file);
  const text = readFileSync(path, 'utf8');
  const fixed = text.replace(/^import (?!type)(.*)$/gm, 'import type $1');
  if (fixed !== text) writeFileSync(path, fixed);
}

if (check) {
  const fresh = filesBelow(outDir);
  const stale =
    JSON.stringify(fresh) !== JSON.stringify(filesBelow(target)) ||
    fresh.some((file) => readFileSync(join(outDir, file), 'utf8') !== readFileSync(join(target, file), 'utf8'));
  rmSync(outDir, { recursive: true, force: true });
  if (stale) {
    console.error(`${target} is not what proto/ says: run "npm run proto:types" and commit the result`);
    process.exit(1);
  }
  console.log('generated types are fresh');
}
