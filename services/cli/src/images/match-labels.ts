import { posix } from 'node:path';
import { printable } from './bytes.js';
import { ImageFileError } from './types.js';

const ADVICE = "in the label file, write the pictures' paths relative to their folder";

/** A path as it stands in a label file, which may come from Windows, as those of pictures are written here. */
export function picturePath(text: string): string {
  return posix.normalize(text.replaceAll('\\', '/'));
}

interface Rows {
  files: readonly string[];
  labels: Int32Array;
}

interface Pictures {
  /** Those to label: paths relative to the images' folder. */
  names: readonly string[];
  /** All that the folder holds. Of a draw alone, a base name could seem unambiguous. */
  listed: readonly string[];
}

/**
 * Labels by path, or by base name where that can mean one picture and one label only: a wrong label would falsify every
 * accuracy without a word.
 * @param file the label file, for messages
 * @throws ImageFileError
 */
export function labelsByPath(file: string, rows: Rows, { names, listed }: Pictures): Int32Array {
  const labelOf = labelsOfRows(file, rows);
  const pictures = new Set(listed);
  const picturesCalled = byBaseName(listed);
  const rowsCalled = byBaseName([...labelOf.keys()].filter((path) => !pictures.has(path)));
  return Int32Array.from(names, (name) => {
    const label = labelOf.get(name);
    if (label !== undefined) return label;
    const base = posix.basename(name);
    const [row, ...others] = rowsCalled.get(base) ?? [];
    if (row === undefined) {
      throw new ImageFileError(file, `no label for ${printable(name)}`, { code: 'LABEL_COUNT' });
    }
    const [one, another] = picturesCalled.get(base)!;
    if (another !== undefined) throw ambiguous(file, `${row} may be ${one} and ${another}`);
    const unlike = others.find((other) => labelOf.get(other) !== labelOf.get(row));
    if (unlike !== undefined) throw ambiguous(file, `${row} has another label than ${unlike}, and ${name} may be both`);
    return labelOf.get(row)!;
  });
}

function labelsOfRows(file: string, { files, labels }: Rows): Map<string, number> {
  const labelOf = new Map<string, number>();
  files.forEach((path, i) => {
    const label = labels[i]!;
    const earlier = labelOf.get(path) ?? label;
    if (earlier !== label) {
      throw new ImageFileError(file, `${printable(path)} has two labels, ${earlier} and ${label}; leave one of them`, {
        code: 'LABEL_AMBIGUOUS',
      });
    }
    labelOf.set(path, label);
  });
  return labelOf;
}

function byBaseName(paths: readonly string[]): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const path of paths) {
    const base = posix.basename(path);
    const group = groups.get(base);
    if (group) group.push(path);
    else groups.set(base, [path]);
  }
  return groups;
}

function ambiguous(file: string, what: string): ImageFileError {
  return new ImageFileError(file, `${printable(what)}: ${ADVICE}`, { code: 'LABEL_AMBIGUOUS' });
}
