import { constants, mkdirSync, statSync } from "node:fs";
import { mkdir, open, readlink, realpath, stat, type FileHandle } from "node:fs/promises";
import { dirname, isAbsolute, join, relative, resolve } from "node:path";

/** Largest text of a checkpoint folder or config that is read as a whole; the largest tokenizers have some 40 MB. */
export const MAX_TEXT_BYTES = 256 * 2 ** 20;

/**
 * Opens a file for reading that may be anything: a pipe, device, socket or folder is refused, where `open` or `read`
 * would wait for ever or fill the memory. The caller closes it.
 * @throws Error that says what it is; the system's error where it cannot be opened
 */
export async function openPlainFile(path: string): Promise<FileHandle> {
  const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const status = await handle.stat();
    const kind = status.isFile()
      ? undefined
      : status.isDirectory()
        ? "a folder"
        : status.isFIFO()
          ? "a pipe"
          : status.isSocket()
            ? "a socket"
            : "a device";
    if (kind !== undefined) throw new Error(`it is ${kind}, not a file`);
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** A plain file's bytes. @throws Error for anything else (`openPlainFile`), and for more than `limitBytes` */
export async function readPlainFile(path: string, limitBytes: number): Promise<Buffer> {
  const handle = await openPlainFile(path);
  try {
    const { size } = await handle.stat();
    if (size > limitBytes) throw new Error(`it has ${size} bytes, and at most ${limitBytes} are read`);
    return await handle.readFile();
  } finally {
    await handle.close();
  }
}

/** Where the hub's cache keeps what its folders link to: named by content. */
const HUB_BLOB = /[\\/](models|datasets)--[^\\/]+[\\/]blobs[\\/][0-9a-f]{40,64}$/;

/**
 * The path of a file in a folder that may come from anywhere. A link in it may lead to another place in the folder or
 * into the hub's cache, not elsewhere: an export would carry along whatever it points to.
 * @throws Error for a link that leaves the folder; the system's error where there is no such file
 */
export async function fileInFolder(folder: string, name: string): Promise<string> {
  const path = join(folder, name);
  const target = await realpath(path);
  const way = relative(await realpath(folder), target);
  if ((!way.startsWith("..") && !isAbsolute(way)) || HUB_BLOB.test(target)) return path;
  throw new Error(
    `it is a link to ${await readlink(path).catch(() => target)}, outside of its folder: put the file itself there`,
  );
}

/**
 * Makes a folder and those above it; one that is there stays. Node's own `mkdir` with `recursive` asks again and again
 * without end where a file system says that a folder's parent is missing although it is there (`/proc/x`).
 * @throws the system's error where a folder cannot be made, or something else lies there
 */
export async function makeFolders(path: string): Promise<void> {
  const folder = resolve(path);
  try {
    await mkdir(folder);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" && dirname(folder) !== folder) {
      await makeFolders(dirname(folder));
      await mkdir(folder).catch((again: NodeJS.ErrnoException) => {
        if (again.code !== "EEXIST") throw again;
      });
    } else if (!(await stat(folder).catch(() => undefined))?.isDirectory()) throw error;
  }
}

/** The same at once, for what must be there before a library is loaded. @throws as `makeFolders` */
export function makeFoldersSync(path: string): void {
  const folder = resolve(path);
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true) return;
  if (dirname(folder) !== folder) makeFoldersSync(dirname(folder));
  try {
    mkdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST" || !statSync(folder).isDirectory()) throw error;
  }
}
