import { extname, join } from 'node:path';
import { pixelsPerImage, sameShape } from '@bbdistill/common';
import type { ImageShape } from '@bbdistill/common';
import { listFolder, printable, readBounded, statPath } from './bytes.js';
import { MAX_PICTURE_FILE_BYTES, decodePicture } from './picture.js';
import type { Picture } from './picture.js';
import { drawSeeded } from './splits.js';
import { convertChannels } from './transform.js';
import { ImageFileError, MAX_CLASSES, checkPixelBytes } from './types.js';
import type { RawImages, ReadImagesOptions, SkippedFile } from './types.js';

const READ = ['.png', '.jpg', '.jpeg'];
/** Pictures that we don't read; they are named instead of being left out in silence. */
const NOT_READ = ['.gif', '.webp', '.bmp', '.tif', '.tiff', '.avif', '.heic', '.jp2', '.svg'];
/** Decoded at a time: enough to keep the decoder's threads busy, few enough to bound memory. */
const DECODED_AT_ONCE = 8;

interface Listed {
  path: string;
  /** Path relative to the images' folder, with `/`. */
  name: string;
  label: number;
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

interface Classes {
  names: string[];
  labelOf: (folder: string) => number;
  isSorted: boolean;
}

/** Class folders that are whole numbers are the class itself; other names are looked up in those given, or sorted. */
function classesOf(path: string, folders: readonly string[], given: readonly string[] | undefined): Classes {
  const areNumbers = folders.every((name) => /^(0|[1-9]\d*)$/.test(name));
  if (areNumbers && !given?.some((name) => folders.includes(name))) {
    const highest = Math.max(...folders.map(Number));
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

async function list(path: string, options: ReadImagesOptions): Promise<{ files: Listed[]; classes?: Classes }> {
  const flat: Listed[] = [];
  const folders: string[] = [];
  for (const name of await listFolder(path)) {
    const below = join(path, name);
    if (isPictureName(name)) flat.push({ path: below, name, label: -1 });
    else if ((await statPath(below).catch(() => undefined))?.isDirectory()) folders.push(name);
  }
  if (flat.length > 0) {
    if (options.labels !== 'folder') return { files: flat };
    throw new ImageFileError(printable(path), 'holds pictures directly; labels: folder needs one folder a class', {
      code: 'IMAGE_LAYOUT',
    });
  }
  const perFolder = await Promise.all(folders.map((name) => listFolder(join(path, name))));
  const used = folders.filter((_, i) => perFolder[i]!.some(isPictureName));
  if (used.length === 0) {
    throw new ImageFileError(
      printable(path),
      'holds no PNG or JPEG, neither directly nor one folder deep; check the path',
      { code: 'IMAGE_NONE' },
    );
  }
  const classes = classesOf(path, folders, options.classNames);
  const files = folders.flatMap((folder, i) =>
    perFolder[i]!.filter(isPictureName).map((name) => ({
      path: join(path, folder, name),
      name: `${folder}/${name}`,
      label: classes.labelOf(folder),
    })),
  );
  return { files, classes };
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

function fitted(picture: Picture, channels: 1 | 3 | undefined): Picture {
  if (!channels) return picture;
  const { shape, pixels } = convertChannels({ count: 1, ...picture }, channels);
  return { shape, pixels, changes: picture.changes };
}

/**
 * PNG and JPEG files of a folder: flat, or one folder a class (labels and class names from the folders). Files come
 * in code-unit order of their names, folder by folder; links are followed; anything else in the folder is left alone.
 * @throws ImageFileError naming the file; with `skipBad` such files are listed instead
 */
export async function readFolder(options: ReadImagesOptions, maxPixelBytes: number): Promise<FolderImages> {
  const { files, classes } = await list(options.path, options);
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
        if (!options.skipBad) throw error;
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
    notes: [...changed].map(([change, count]) => `in ${count} of ${names.length} files ${change}`),
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
