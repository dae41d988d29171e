import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { main } from '../program.js';

const EXAMPLES = fileURLToPath(new URL('../../../../deploy/examples/', import.meta.url));

async function check(file: string): Promise<{ code: number; out: string; errors: string }> {
  let out = '';
  let errors = '';
  const output = {
    stdout: (text: string) => void (out += text),
    stderr: (text: string) => void (errors += text),
    interactive: false,
  };
  return { code: await main(['check-config', file], output), out, errors };
}

describe('check-config - the examples', () => {
  const checked = [
    'digits',
    'teachers/open-inference-http',
    'teachers/open-inference-grpc',
    'teachers/triton-classification',
    'teachers/tf-serving',
    'teachers/onnx',
    'teachers/http-json',
    'teachers/hosted-label-score',
    'teachers/hosted-label-annotations',
    'teachers/hosted-labels-confidence',
    'teachers/hosted-tag-predictions',
    'teachers/hosted-concepts',
  ];

  it('all examples are checked', () => {
    const files = readdirSync(`${EXAMPLES}teachers`).map((file) => `teachers/${file.replace('.yaml', '')}`);
    expect(files.sort()).toEqual(checked.filter((name) => name.startsWith('teachers/')).sort());
  });

  it.each(checked)('%s is accepted', async (name) => {
    const { code, out, errors } = await check(`${EXAMPLES}${name}.yaml`);
    expect(errors).toBe('');
    expect(code).toBe(0);
    expect(Object.keys(JSON.parse(out) as object)).toEqual(['run', 'teachers']);
  });
});
