import { extname, join } from 'node:path';
import { pixelsPerImage, sameShape } from '@bbdistill/common';
import type { ImageShape } from '@bbdistill/common';
import { NAME_NOT_UTF8, listFolder, listUnreachable, printable, readBounded, statPath } from './bytes.js';
import { MAX_PICTURE_FILE_BYTES, decodePicture } from './picture.js';
import type { Picture } from './picture.js';
import { drawSeeded } from './splits.js';
import { convertChannels } from './transform.js';
import { ImageFileError, MAX_CLASSES, checkPixelBytes } from './types.js';
import type { RawImages, ReadImagesOptions, SkippedFile } from './types.js';

const READ = ['.png', '.jpg', '.jpeg', '.jfif'];
/** Pictures that we don't read; they are named instead of being left out in silence. */
const NOT_READ = ['.gif', '.webp', '.bmp', '.tif', '.tiff', '.avif', '.heic', '.jp2', '.svg'];
/** A folder with so many times the pictures of its folders is meant itself: those may be a run's figures in `out`. */
const OWN_OUTWEIGH = 10;
/** Decoded at a time: enough to keep the decoder's threads busy, few enough to bound memory. */
const DECODED_AT_ONCE = 8;

interface Listed {
  path: string;
  /** Path relative to the images' folder, with `/`. */
  name: string;
  label: number;
}

interface Listing {
  files: Listed[];
  classes?: Classes;
  notes: string[];
}

export interface FolderImages extends RawImages {
  skipped: SkippedFile[];
  /** Paths relative to the folder, with `/`, in the order of the images. */
  names: string[];
  /** The same of all pictures, also those that a limit or `skipBad` leaves out. */
  listed: string[];
}

function isPictureName(name: string): boolean {
  const extension = extname(name).toLowerCase();
  return READ.includes(extension) || NOT_READ.includes(extension);
}

const BROKEN: readonly string[] = [
  'IMAGE_DAMAGED',
  'IMAGE_TRUNCATED',
  'IMAGE_MAGIC',
  'IMAGE_FORMAT',
  'IMAGE_UNREADABLE',
];

interface Classes {
  names: string[];
  labelOf: (folder: string) => number;
  isSorted: boolean;
}

/**
 * Class folders that are whole numbers are the class itself; other names are looked up in those given, or sorted. Where
 * nobody said that the folders are classes, numbers too large for that (dates) are names.
 */
function classesOf(
  path: string,
  folders: readonly string[],
  { classNames: given, labels }: ReadImagesOptions,
): Classes {
  const areNumbers = folders.every((name) => /^(0|[1-9]\d*)$/.test(name));
  const highest = areNumbers ? Math.max(...folders.map(Number)) : 0;
  const areIndices = areNumbers && (labels === 'folder' || highest < MAX_CLASSES);
  if (areIndices && !given?.some((name) => folders.includes(name))) {
    if (highest >= MAX_CLASSES || (given && highest >= given.length)) {
      const range = given ? `: ${given.length} classes are named, numbered 0 to ${given.length - 1}` : '';
      throw new ImageFileError(printable(path), `class folder ${highest} is out of range${range}`, {
        code: 'LABEL_RANGE',
      });
    }
    const names = given ?? Array.from({ length: highest + 1 }, (_, label) => String(label));
    return { names: [...names], labelOf: Number, isSorted: false };
  }
  const unknown = given && folders.find((name) => !given.includes(name));
  if (unknown !== undefined) {
    throw new ImageFileError(
      printable(join(path, unknown)),
      `the folder is none of the classes that classNames names (${printable(given!.join(', ')).slice(0, 200)})`,
      { code: 'LABEL_RANGE' },
    );
  }
  const names = [...(given ?? folders)];
  return { names, labelOf: (folder) => names.indexOf(folder), isSorted: given === undefined };
}

/** What lies in a folder and one below; folders without pictures are classes, too. */
interface Survey {
  own: string[];
  folders: string[];
  /** Pictures of each folder. */
  perFolder: string[][];
}

async function survey(path: string): Promise<Survey> {
  await refuseUnreachable(path);
  const own: string[] = [];
  const folders: string[] = [];
  for (const name of await listFolder(path)) {
    if (isPictureName(name)) own.push(name);
    else if ((await statPath(join(path, name)).catch(() => undefined))?.isDirectory()) folders.push(name);
  }
  const perFolder = await Promise.all(
    folders.map(async (name) => (await listFolder(join(path, name))).filter(isPictureName)),
  );
  return { own, folders, perFolder };
}

async function list(path: string, options: ReadImagesOptions): Promise<Listing> {
  const { own, folders, perFolder } = await survey(path);
  const used = folders.filter((_, i) => perFolder[i]!.length > 0);
  if (own.length > 0) {
    const below = perFolder.flat().length;
    refuseMixed(path, own, { used, below }, options);
    const files = own.map((name) => ({ path: join(path, name), name, label: -1 }));
    return { files, notes: below > 0 ? [leftOut(used, below)] : [] };
  }
  if (used.length === 0) {
    throw new ImageFileError(
      printable(path),
      'holds no PNG or JPEG, neither directly nor one folder deep; check the path',
      { code: 'IMAGE_NONE' },
    );
  }
  const { labels = 'auto' } = options;
  const classes = labels === 'auto' || labels === 'folder' ? classesOf(path, folders, options) : undefined;
  const files = folders.flatMap((folder, i) =>
    perFolder[i]!.map((name) => ({
      path: join(path, folder, name),
      name: `${folder}/${name}`,
      label: classes?.labelOf(folder) ?? -1,
    })),
  );
  return { files, ...(classes && { classes }), notes: [] };
}

/** A picture with such a name is found, and refused when it is read; a folder would be lost in silence. */
async function refuseUnreachable(path: string): Promise<void> {
  const name = (await listUnreachable(path)).find((unreachable) => !isPictureName(unreachable));
  if (name === undefined) return;
  throw new ImageFileError(printable(join(path, name)), NAME_NOT_UTF8, { code: 'IMAGE_UNREADABLE' });
}

/** Which of the two is meant can't be seen, unless those in folders are few; taking either could lose nearly all. */
function refuseMixed(
  path: string,
  own: readonly string[],
  { used, below }: { used: readonly string[]; below: number },
  options: ReadImagesOptions,
): void {
  if (options.labels !== 'folder' && own.length >= OWN_OUTWEIGH * below) return;
  const reason =
    below > 0
      ? `holds pictures directly (${own[0]!}) and in folders (${used[0]!}); move those that aren't meant elsewhere`
      : 'holds pictures directly; labels: folder needs one folder a class';
  throw new ImageFileError(printable(path), printable(reason), { code: 'IMAGE_LAYOUT' });
}

function leftOut(folders: readonly string[], pictures: number): string {
  const [first, ...others] = folders;
  const where = printable(first!) + (others.length > 0 ? ` and ${others.length} more` : '');
  const what = pictures > 1 ? `${pictures} pictures` : '1 picture';
  return `${what} in folders (${where}) left out, as the others lie directly in the images' folder`;
}

async function read(listed: Listed, options: ReadImagesOptions): Promise<Picture | ImageFileError> {
  try {
    if (NOT_READ.includes(extname(listed.name).toLowerCase())) {
      throw new ImageFileError(printable(listed.path), 'only PNG and JPEG are read; convert it', {
        code: 'IMAGE_FORMAT',
      });
    }
    const bytes = await readBounded(listed.path, MAX_PICTURE_FILE_BYTES);
    return await decodePicture(printable(listed.path), bytes, options);
  } catch (error) {
    if (error instanceof ImageFileError) return error;
    throw error;
  }
}

/** One bad file among thousands needn't be mended first. Other faults, of size or colours, concern more than one file. */
function withWayOn(error: ImageFileError): ImageFileError {
  const { file, reason, code } = error;
  if (!BROKEN.includes(code)) return error;
  const way = 'leave it out with skipBad: true (run.images.skipBad; --skip-bad in dataset describe)';
  return new ImageFileError(file, `${reason}; or ${way}`, { code, cause: error });
}

function fitted(picture: Picture, channels: 1 | 3 | undefined): Picture {
  if (!channels) return picture;
  const { shape, pixels } = convertChannels({ count: 1, ...picture }, channels);
  return { shape, pixels, changes: picture.changes };
}

/**
 * PNG and JPEG files of a folder: flat, or one folder a class (labels and class names from the folders, where labels are
 * wanted). Files come in code-unit order of their names, folder by folder; links are followed; anything else in the
 * folder is left alone. Pictures both directly and in folders are refused, unless those in folders are few: those are
 * left out with a note.
 * @throws ImageFileError naming the file; with `skipBad` such files are listed instead
 */
export async function readFolder(options: ReadImagesOptions, maxPixelBytes: number): Promise<FolderImages> {
  const { files, classes, notes } = await list(options.path, options);
  const wanted = Math.min(options.limit ?? files.length, files.length);
  const order =
    options.seed !== undefined && wanted < files.length
      ? Array.from(drawSeeded(files.length, files.length, options.seed), (i) => files[i]!)
      : files;

  const skipped: SkippedFile[] = [];
  const changed = new Map<string, number>();
  const names: string[] = [];
  const labels: number[] = [];
  let first: { shape: ImageShape; path: string } | undefined;
  let pixels = new Uint8Array(0);
  for (let at = 0; at < order.length && names.length < wanted;) {
    const group = order.slice(at, at + Math.min(DECODED_AT_ONCE, wanted - names.length));
    at += group.length;
    const pictures = await Promise.all(group.map((listed) => read(listed, options)));
    group.forEach((listed, i) => {
      const found = pictures[i]!;
      const picture = found instanceof ImageFileError ? found : fitted(found, options.channels);
      const error = picture instanceof ImageFileError ? picture : first && unlike(first, listed, picture);
      if (error) {
        if (!options.skipBad) throw withWayOn(error);
        skipped.push({ file: error.file, reason: error.reason });
        return;
      }
      const { shape, pixels: own, changes } = picture as Picture;
      if (!first) {
        first = { shape, path: listed.path };
        pixels = new Uint8Array(checkPixelBytes(printable(options.path), wanted, shape, maxPixelBytes));
      }
      pixels.set(own, names.length * own.length);
      for (const change of changes) changed.set(change, (changed.get(change) ?? 0) + 1);
      names.push(listed.name);
      labels.push(listed.label);
    });
  }
  if (!first) {
    throw new ImageFileError(printable(options.path), `none of its ${files.length} pictures can be read`, {
      code: 'IMAGE_NONE',
    });
  }
  const used = pixels.subarray(0, names.length * pixelsPerImage(first.shape));
  return {
    images: { count: names.length, shape: first.shape, pixels: used },
    ...(classes ? { classNames: classes.names, labels: Int32Array.from(labels) } : {}),
    ...(classes?.isSorted && { sorted: true }),
    notes: [...notes, ...[...changed].map(([change, count]) => `in ${count} of ${names.length} files ${change}`)],
    skipped,
    names,
    listed: files.map(({ name }) => name),
  };
}

function unlike(
  first: { shape: ImageShape; path: string },
  listed: Listed,
  picture: Picture,
): ImageFileError | undefined {
  if (sameShape(first.shape, picture.shape)) return undefined;
  const size = ({ width, height, channels }: ImageShape) => `${width}x${height} ${channels === 1 ? 'grey' : 'RGB'}`;
  const sizes = first.shape.height !== picture.shape.height || first.shape.width !== picture.shape.width;
  return new ImageFileError(
    printable(listed.path),
    `is ${size(picture.shape)} but ${printable(first.path)} is ${size(first.shape)}; ` +
      (sizes ? 'set resize to bring all to one size' : 'set channels to 1 or 3 to bring all to one kind'),
    { code: 'IMAGE_MIXED' },
  );
}
