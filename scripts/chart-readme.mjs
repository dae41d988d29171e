// Writes helm/bbdistill/README.md from README.head.md and the comments of values.yaml: `npm run chart:readme`; with
// --check it only says whether the file is what it would write.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import prettier from 'prettier';
import { isMap, isScalar, parseDocument } from 'yaml';

const chart = (name) => fileURLToPath(new URL(`../helm/bbdistill/${name}`, import.meta.url));
const readme = chart('README.md');

/** `# -- text`. */
const meaningOf = (comment) => /-- (.+)$/.exec(comment ?? '')?.[1] ?? '';

/** Every value with its default; a block of values is listed value by value, one in braces as a whole. */
function* rows(map, path = '') {
  for (const { key, value } of map.items) {
    const name = path + key.value;
    if (isMap(value) && !value.flow) {
      // The parser gives a comment before the first key of a block to the block.
      const [first] = value.items;
      if (value.commentBefore && first) first.key.commentBefore ??= value.commentBefore;
      yield* rows(value, `${name}.`);
    } else {
      const fallback = isScalar(value) && value.value === '' ? "''" : JSON.stringify(value.toJSON());
      yield { name, meaning: meaningOf(key.commentBefore), fallback };
    }
  }
}

const values = parseDocument(readFileSync(chart('values.yaml'), 'utf8')).contents;
const cell = (text) => text.replaceAll('|', '\\|');
// What components have in common is explained at the first of them.
const meanings = new Map();
const shared = ({ name, meaning }) => {
  const inComponent = name.slice(name.indexOf('.') + 1);
  if (meaning !== '' && !meanings.has(inComponent)) meanings.set(inComponent, meaning);
  return meaning === '' ? (meanings.get(inComponent) ?? '') : meaning;
};
const table = [
  '| value | default | meaning |',
  '| --- | --- | --- |',
  ...[...rows(values)].map((row) => `| \`${row.name}\` | \`${cell(row.fallback)}\` | ${cell(shared(row))} |`),
].join('\n');
const head = readFileSync(chart('README.head.md'), 'utf8');
const options = { ...(await prettier.resolveConfig(readme)), parser: 'markdown' };
const wanted = await prettier.format(`${head}\n## Values\n\n${table}\n`, options);

if (process.argv.includes('--check')) {
  const isCurrent = readFileSync(readme, 'utf8') === wanted;
  if (!isCurrent) console.error('helm/bbdistill/README.md is not what values.yaml says: run npm run chart:readme');
  process.exit(isCurrent ? 0 : 1);
}
writeFileSync(readme, wanted);
