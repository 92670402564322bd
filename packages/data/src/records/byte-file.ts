import { randomUUID } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { type FileHandle, open, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Duplex, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import zlib from "node:zlib";
import { openPlainFile } from "@thaw/contracts";
import { fileChanged, fileUnreadable, zstdUnsupported } from "../errors/files.js";

/** Files up to this size are held in memory, so that who writes them anew disturbs no run. */
const HELD_BYTES = 16 * 1024 * 1024;

/** Unpacked bytes per packed one that are too many, as an archive has that is made to fill a disk; text has some 10. */
const MAX_RATIO = 200;
/** What may be unpacked whatever the ratio. */
const FREE_BYTES = 2 ** 30;
/** A file that is open is looked at this often whether it is still the same. */
const LOOK_MS = 100;

/** Bytes of a file by their place, without reading the rest. */
export interface ByteFile {
  readonly path: string;
  /** Of the unpacked bytes, where the file is packed. */
  readonly size: number;
  /** @throws THAW_DATA_FILE_CHANGED, THAW_DATA_FILE_UNREADABLE */
  read(offset: number, length: number): Promise<Buffer>;
  close(): Promise<void>;
}

type Unpacker = () => Duplex;
const GZIP = 0x1f8b;
const ZSTD = 0x28b52ffd;

/** What unpacks bytes that begin so. @throws THAW_DATA_ZSTD on a Node that has no zstd */
function unpackerOf(head: Buffer, path: string): Unpacker | undefined {
  if (head.length >= 2 && head.readUInt16BE(0) === GZIP) return zlib.createGunzip;
  if (head.length < 4 || head.readUInt32BE(0) !== ZSTD) return undefined;
  const { createZstdDecompress } = zlib as { readonly createZstdDecompress?: Unpacker };
  if (createZstdDecompress === undefined) throw zstdUnsupported(path);
  return createZstdDecompress;
}

/** Ends a stream with an error once more bytes went through than may. */
function boundedTo(most: number): Transform {
  let done = 0;
  return new Transform({
    transform(chunk: Buffer, _, callback) {
      done += chunk.length;
      callback(done > most ? new Error(`it unpacks to more than ${most} bytes`) : null, chunk);
    },
  });
}

/** Opens a file of the data; a pipe or device would be waited for without end. @throws THAW_DATA_FILE_UNREADABLE */
export function openData(path: string): Promise<FileHandle> {
  return openPlainFile(path).catch((cause: unknown) => {
    throw fileUnreadable(path, "The data file", cause);
  });
}

/** The first bytes of a file. @throws THAW_DATA_FILE_UNREADABLE */
export async function headOf(path: string, length: number): Promise<Buffer> {
  const handle = await openData(path);
  try {
    return await readAt(handle, path, 0, length);
  } finally {
    await handle.close();
  }
}

async function readAt(handle: FileHandle, path: string, offset: number, length: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(length);
  let done = 0;
  try {
    while (done < length) {
      const { bytesRead } = await handle.read(buffer, done, length - done, offset + done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
  } catch (cause) {
    throw fileUnreadable(path, "The data file", cause);
  }
  return buffer.subarray(0, done);
}

/**
 * Opens a file for reads at any place. What gzip or zstd packed is unpacked into a temporary file first, which nobody
 * else sees and which is gone once it is closed. One that unpacks to more than `freeBytes` and to 200 times its size is
 * refused. The caller closes it.
 * @throws THAW_DATA_FILE_UNREADABLE, THAW_DATA_ZSTD
 */
export async function openBytes(path: string, freeBytes = FREE_BYTES): Promise<ByteFile> {
  const unpack = unpackerOf(await headOf(path, 4), path);
  if (unpack === undefined) return heldOrOpen(path, await openData(path), async () => undefined);
  const copy = join(tmpdir(), `thaw-unpacked-${randomUUID()}`);
  const remove = (): Promise<void> => rm(copy, { force: true });
  try {
    const bound = boundedTo(Math.max(freeBytes, MAX_RATIO * (await stat(path)).size));
    await pipeline(createReadStream(path), unpack(), bound, createWriteStream(copy, { mode: 0o600 }));
    const handle = await open(copy);
    // Where the system allows it the copy has no name from here on, so that nothing is left behind in any case.
    await remove().catch(() => undefined);
    return await heldOrOpen(path, handle, remove);
  } catch (cause) {
    await remove();
    throw fileUnreadable(path, "The packed data file", cause);
  }
}

async function heldOrOpen(path: string, handle: FileHandle, remove: () => Promise<void>): Promise<ByteFile> {
  const { size, mtimeMs } = await handle.stat();
  const close = async (): Promise<void> => {
    await handle.close();
    await remove();
  };
  if (size <= HELD_BYTES) {
    const bytes = await readAt(handle, path, 0, size);
    await close();
    return {
      path,
      size: bytes.length,
      read: (offset, length) => Promise.resolve(bytes.subarray(offset, offset + length)),
      close: () => Promise.resolve(),
    };
  }
  let isOpen = true;
  let lookedAt = performance.now();
  return {
    path,
    size,
    read: async (offset, length) => {
      if (performance.now() - lookedAt > LOOK_MS) {
        lookedAt = performance.now();
        const now = await handle.stat();
        if (now.mtimeMs !== mtimeMs || now.size !== size) throw fileChanged(path);
      }
      return readAt(handle, path, offset, length);
    },
    close: async () => {
      if (!isOpen) return;
      isOpen = false;
      await close();
    },
  };
}

/** All bytes of a file, piece by piece. */
export async function* piecesOf(file: ByteFile, first = 0, end = file.size): AsyncGenerator<Buffer> {
  for (let offset = first; offset < end; offset += PIECE_BYTES)
    yield await file.read(offset, Math.min(PIECE_BYTES, end - offset));
}

const PIECE_BYTES = 4 * 1024 * 1024;
