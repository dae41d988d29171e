import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe } from 'vitest';

const INSTALLER = fileURLToPath(new URL('../../scripts/install-python-grpc.mjs', import.meta.url));
const MISSING = 'skipped: no Python with grpcio, get it with npm run setup:python-grpc';

function find(): string | undefined {
  try {
    return execFileSync(process.execPath, [INSTALLER, '--find'], { encoding: 'utf8' }).trim();
  } catch {
    return undefined;
  }
}

const program = find();

/** Like `describe`, for tests that need Python's grpcio. Where it is missing they are skipped, but in CI they fail. */
export function describeWithPythonGrpc(name: string, tests: (python: string) => void): void {
  const isSkipped = program === undefined && !process.env['CI'];
  describe.skipIf(isSkipped)(isSkipped ? `${name} (${MISSING})` : name, () => tests(program ?? 'python3'));
}
