import { isUtf8 } from 'node:buffer';
import { constants, readdir, realpath, stat, open } from 'node:fs/promises';
import type { Stats } from 'node:fs';
import { gunzipSync, constants as zlib } from 'node:zlib';
import { ImageFileError } from './types.js';

/** Enough compressed bytes to see any header that we read. */
const PEEK_BYTES = 1024;
export const NAME_NOT_UTF8 = "can't be opened, as its name isn't UTF-8; rename it";

/** What the operating system says, as a reason that a user understands. */
function fileSystemError(file: string, cause: unknown): ImageFileError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  const reasons: Record<string, [string, string]> = {
    ENOENT: ['there is no such file or folder (or the link leads nowhere)', 'IMAGE_NOT_FOUND'],
    ENOTDIR: ['a part of the path is a file, not a folder', 'IMAGE_NOT_FOUND'],
    EACCES: ['it may not be read by this user; change its permissions', 'IMAGE_UNREADABLE'],
    EPERM: ['it may not be read by this user; change its permissions', 'IMAGE_UNREADABLE'],
    ELOOP: ['the link leads back to itself', 'IMAGE_UNREADABLE'],
    ENAMETOOLONG: ['the path is too long', 'IMAGE_UNREADABLE'],
    ERR_INVALID_ARG_VALUE: ['the path holds a zero byte', 'IMAGE_UNREADABLE'],
  };
  // What isn't UTF-8 in a name is replaced when it becomes text, which then leads nowhere.
  if (code === 'ENOENT' && file.includes('\uFFFD')) reasons[code] = [NAME_NOT_UTF8, 'IMAGE_UNREADABLE'];
  const [reason, word] = reasons[code] ?? [`can't be read (${code || String(cause)})`, 'IMAGE_UNREADABLE'];
  return new ImageFileError(printable(file), reason, { code: word, cause });
}

/** File names may hold control characters; messages and terminals must not. */
export function printable(name: string): string {
  // eslint-disable-next-line no-control-regex
  return name.replace(/[\u0000-\u001f\u007f-\u009f]/g, '?');
}

/** Follows links. @throws ImageFileError */
export async function statPath(path: string): Promise<Stats> {
  try {
    return await stat(path);
  } catch (cause) {
    throw fileSystemError(path, cause);
  }
}

/** Names in a folder in code-unit order, which is the same on every machine; hidden names are left out. */
export async function listFolder(path: string): Promise<string[]> {
  try {
    const names = await readdir(await realpath(path));
    return names.filter((name) => !name.startsWith('.')).sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  } catch (cause) {
    throw fileSystemError(path, cause);
  }
}

/** Names in a folder, but not of regular files, that aren't UTF-8: no text leads to what they name. */
export async function listUnreachable(path: string): Promise<string[]> {
  try {
    const entries = await readdir(await realpath(path), { withFileTypes: true, encoding: 'buffer' });
    const names = entries.filter((entry) => !entry.isFile() && !isUtf8(entry.name)).map(({ name }) => name.toString());
    return names.filter((name) => !name.startsWith('.'));
  } catch (cause) {
    throw fileSystemError(path, cause);
  }
}

/**
 * A regular file's bytes. Non-regular files are refused before they are opened for reading, because a pipe would wait
 * for ever.
 * @throws ImageFileError
 */
export async function readBounded(path: string, maxBytes: number): Promise<Uint8Array> {
  const size = await regularFileSize(path);
  if (size > maxBytes) {
    throw new ImageFileError(printable(path), `${size} bytes, more than the ${maxBytes} allowed`, {
      code: 'IMAGE_TOO_MANY_BYTES',
    });
  }
  return readStart(path, size);
}

/** The first bytes of a regular file, enough to tell its format. @throws ImageFileError */
export async function readHead(path: string): Promise<Uint8Array> {
  return readStart(path, Math.min(await regularFileSize(path), PEEK_BYTES));
}

async function regularFileSize(path: string): Promise<number> {
  const found = await statPath(path);
  const file = printable(path);
  if (found.isDirectory()) {
    throw new ImageFileError(file, 'is a folder where a file was expected', { code: 'IMAGE_IS_FOLDER' });
  }
  if (!found.isFile()) throw new ImageFileError(file, 'is not a regular file', { code: 'IMAGE_UNREADABLE' });
  if (found.size === 0) throw new ImageFileError(file, 'is empty', { code: 'IMAGE_TRUNCATED' });
  return found.size;
}

async function readStart(path: string, size: number): Promise<Uint8Array> {
  try {
    const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const bytes = new Uint8Array(size);
      let done = 0;
      while (done < bytes.length) {
        const { bytesRead } = await handle.read(bytes, done, bytes.length - done, done);
        if (bytesRead === 0) break;
        done += bytesRead;
      }
      return bytes.subarray(0, done);
    } finally {
      await handle.close();
    }
  } catch (cause) {
    throw fileSystemError(path, cause);
  }
}

export function isGzip(bytes: Uint8Array): boolean {
  return bytes.length > 2 && bytes[0] === 0x1f && bytes[1] === 0x8b;
}

/** The first bytes of a gzip stream's content, without unpacking the rest. @throws ImageFileError */
export function gunzipHead(file: string, bytes: Uint8Array): Uint8Array {
  try {
    return gunzipSync(bytes.subarray(0, PEEK_BYTES), {
      finishFlush: zlib.Z_SYNC_FLUSH,
      maxOutputLength: PEEK_BYTES * 2048,
    });
  } catch (cause) {
    throw new ImageFileError(file, 'the gzip stream is damaged', { code: 'IMAGE_DAMAGED', cause });
  }
}

/**
 * Unpacks a gzip stream that must hold exactly as many bytes as its header announced, so that a bomb stops at the
 * announced size.
 * @throws ImageFileError
 */
export function gunzipExactly(file: string, bytes: Uint8Array, expectedBytes: number): Uint8Array {
  let content: Uint8Array;
  try {
    content = gunzipSync(bytes, { maxOutputLength: expectedBytes + 1 });
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
    if (code === 'ERR_BUFFER_TOO_LARGE') {
      throw new ImageFileError(file, `the gzip stream goes on after the ${expectedBytes} bytes of its header`, {
        code: 'IMAGE_TRAILING_BYTES',
        cause,
      });
    }
    if (code === 'Z_BUF_ERROR') {
      throw new ImageFileError(file, 'the gzip stream is truncated; fetch the file again', {
        code: 'IMAGE_TRUNCATED',
        cause,
      });
    }
    throw new ImageFileError(file, 'the gzip stream is damaged', { code: 'IMAGE_DAMAGED', cause });
  }
  return content;
}
