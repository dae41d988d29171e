import { isGzip, printable, readBounded } from './bytes.js';
import { parseIdxLabels } from './idx.js';
import { picturePath } from './match-labels.js';
import { isNpy, parseNpyLabels } from './npy.js';
import { ImageFileError, MAX_CLASSES } from './types.js';

const MAX_LABEL_FILE_BYTES = 256 * 1024 * 1024;
const FILE_COLUMNS = ['file', 'filename', 'file_name', 'image', 'path', 'name'];
const LABEL_COLUMNS = ['label', 'class', 'target', 'category', 'y'];

export interface LabelFile {
  labels: Int32Array;
  /** The image that each label belongs to, where the file says so: its path, with `/`. */
  files?: string[];
  /** Where classes are words: sorted, or as given. */
  classNames?: string[];
  sorted?: boolean;
}

/**
 * True classes from an IDX or NPY file, or from text: one label a line, or CSV with a label column and, optionally, a
 * file column. Words become indices of their sorted names (or of `classNames`); numbers are indices, unless one of them
 * is among `classNames`; an empty label or -1 means not known.
 * @throws ImageFileError
 */
export async function readLabelsFile(path: string, classNames?: readonly string[]): Promise<LabelFile> {
  const bytes = await readBounded(path, MAX_LABEL_FILE_BYTES);
  const file = printable(path);
  if (isNpy(bytes)) return { labels: parseNpyLabels(file, bytes) };
  if (isGzip(bytes) || (bytes[0] === 0 && bytes[1] === 0)) return { labels: parseIdxLabels(file, bytes) };
  return parseLabelText(file, bytes, classNames);
}

/** @throws ImageFileError */
export function parseLabelText(file: string, bytes: Uint8Array, classNames?: readonly string[]): LabelFile {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new ImageFileError(file, 'is neither IDX, NPY nor UTF-8 text', { code: 'LABEL_FILE', cause });
  }
  const lines = text.split(/\r?\n/);
  while (lines.at(-1)?.trim() === '') lines.pop();
  const separator = [',', ';', '\t'].find((sign) => lines[0]?.includes(sign));
  const rows = lines.map((line, i) => (separator ? cells(file, line, separator, i + 1) : [line.trim()]));
  if (rows.length === 0) throw new ImageFileError(file, 'holds no labels', { code: 'LABEL_FILE' });

  const head = rows[0]!.map((cell) => cell.toLowerCase());
  let labelColumn = head.findIndex((cell) => LABEL_COLUMNS.includes(cell));
  let fileColumn = head.findIndex((cell) => FILE_COLUMNS.includes(cell));
  const hasHead = labelColumn >= 0;
  const first = rows[0]!;
  if (!hasHead) {
    if (first.length > 2) {
      throw new ImageFileError(file, `${first.length} columns and no column named label`, { code: 'LABEL_FILE' });
    }
    labelColumn = first.length - 1;
    fileColumn = first.length === 2 ? 0 : -1;
  }
  const body = hasHead ? rows.slice(1) : rows;
  const ragged = body.findIndex((row) => row.length !== first.length);
  if (ragged >= 0) {
    throw new ImageFileError(
      file,
      `line ${ragged + (hasHead ? 2 : 1)} has ${body[ragged]!.length} columns where the first has ${first.length}`,
      { code: 'LABEL_FILE' },
    );
  }
  const words = body.map((row) => row[labelColumn]!);
  const named = namesToIndices(file, words, classNames);
  const files = fileColumn >= 0 ? { files: body.map((row) => picturePath(row[fileColumn]!)) } : {};
  return { ...named, ...files };
}

function namesToIndices(
  file: string,
  words: readonly string[],
  classNames: readonly string[] | undefined,
): Pick<LabelFile, 'labels' | 'classNames' | 'sorted'> {
  const known = words.filter((word) => word !== '' && word !== '-1');
  const given = new Set(classNames);
  if (known.every((word) => /^\d+$/.test(word)) && !known.some((word) => given.has(word))) {
    const wrong = known.find((word) => Number(word) >= MAX_CLASSES);
    if (wrong !== undefined) throw new ImageFileError(file, `label ${wrong} is out of range`, { code: 'LABEL_RANGE' });
    return { labels: Int32Array.from(words, (word) => (word === '' ? -1 : Number(word))) };
  }
  const names = classNames ? [...classNames] : [...new Set(known)].sort((a, b) => (a < b ? -1 : 1));
  const index = new Map(names.map((name, i) => [name, i]));
  const labels = Int32Array.from(words, (word) => {
    if (word === '' || word === '-1') return -1;
    const at = index.get(word);
    if (at !== undefined) return at;
    throw new ImageFileError(
      file,
      `"${printable(word).slice(0, 60)}" is none of the ${names.length} classes that classNames names`,
      {
        code: 'LABEL_RANGE',
      },
    );
  });
  return { labels, classNames: names, ...(!classNames && { sorted: true }) };
}

/** The cells of one CSV line; double quotes may enclose a cell. */
function cells(file: string, line: string, separator: string, lineNumber: number): string[] {
  const found: string[] = [];
  let at = 0;
  for (;;) {
    let cell = '';
    if (line[at] === '"') {
      for (at++; ; at++) {
        if (at >= line.length) {
          throw new ImageFileError(file, `line ${lineNumber} has an open quote`, { code: 'LABEL_FILE' });
        }
        if (line[at] !== '"') cell += line[at];
        else if (line[at + 1] === '"') cell += line[at++];
        else break;
      }
      at++;
    }
    const end = line.indexOf(separator, at);
    cell += line.slice(at, end < 0 ? line.length : end);
    found.push(cell.trim());
    if (end < 0) return found;
    at = end + separator.length;
  }
}
