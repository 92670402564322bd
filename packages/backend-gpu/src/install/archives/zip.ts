import { createReadStream, createWriteStream } from "node:fs";
import { open, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { crc32, createInflateRaw } from "node:zlib";
import { makeFolders } from "@thaw/core";
import { wheelBroken } from "../../errors.js";

/** A member of a zip file, from its central directory. */
export interface ZipEntry {
  readonly name: string;
  readonly bytes: number;
  readonly compressedBytes: number;
  readonly crc32: number;
  readonly isDeflated: boolean;
  /** Of the member's local header. */
  readonly offset: number;
}

const END_SIGNATURE = 0x06054b50;
const ENTRY_SIGNATURE = 0x02014b50;
const END_BYTES = 22;
const MAX_COMMENT_BYTES = 65_535;

/**
 * Reads the directory of a zip file: two reads at its end, nothing of the members. Format: PKWARE APPNOTE 6.3.10,
 * without zip64.
 * @throws THAW_INSTALL_WHEEL_BROKEN
 */
export async function readZipDirectory(file: string): Promise<Map<string, ZipEntry>> {
  const handle = await open(file);
  try {
    const { size } = await handle.stat();
    const tail = Buffer.alloc(Math.min(size, END_BYTES + MAX_COMMENT_BYTES));
    await handle.read(tail, 0, tail.length, size - tail.length);
    const end = lastIndexOfSignature(tail);
    if (end < 0) throw wheelBroken({ file, reason: "it has no end-of-directory record, so its last part is missing" });
    const directory = Buffer.alloc(tail.readUInt32LE(end + 12));
    await handle.read(directory, 0, directory.length, tail.readUInt32LE(end + 16));
    return parseDirectory(directory, file);
  } finally {
    await handle.close();
  }
}

function lastIndexOfSignature(tail: Buffer): number {
  for (let at = tail.length - END_BYTES; at >= 0; at -= 1) if (tail.readUInt32LE(at) === END_SIGNATURE) return at;
  return -1;
}

function parseDirectory(directory: Buffer, file: string): Map<string, ZipEntry> {
  const entries = new Map<string, ZipEntry>();
  for (let at = 0; at < directory.length;) {
    if (at + 46 > directory.length || directory.readUInt32LE(at) !== ENTRY_SIGNATURE)
      throw wheelBroken({ file, reason: "its directory is damaged" });
    const nameBytes = directory.readUInt16LE(at + 28);
    const name = directory.toString("utf8", at + 46, at + 46 + nameBytes);
    entries.set(name, {
      name,
      isDeflated: directory.readUInt16LE(at + 10) === 8,
      crc32: directory.readUInt32LE(at + 16),
      compressedBytes: directory.readUInt32LE(at + 20),
      bytes: directory.readUInt32LE(at + 24),
      offset: directory.readUInt32LE(at + 42),
    });
    at += 46 + nameBytes + directory.readUInt16LE(at + 30) + directory.readUInt16LE(at + 32);
  }
  return entries;
}

/**
 * Writes one member to `target`, which appears only when it is complete. A target of the right size and checksum is
 * left alone.
 * @throws THAW_INSTALL_WHEEL_BROKEN if the checksum differs
 */
export async function extractEntry(
  file: string,
  entry: ZipEntry,
  target: string,
  onBytes: (bytes: number) => void = () => {},
): Promise<void> {
  const known = await stat(target).catch(() => undefined);
  if (known?.size === entry.bytes && (await crc32Of(target)) === entry.crc32) {
    onBytes(entry.bytes);
    return;
  }
  await makeFolders(dirname(target));
  const part = `${target}.part`;
  let sum = 0;
  const check = new Transform({
    transform(chunk: Buffer, _, done) {
      sum = crc32(chunk, sum);
      onBytes(chunk.length);
      done(null, chunk);
    },
  });
  try {
    await pipeline([
      await memberStream(file, entry),
      ...(entry.isDeflated ? [createInflateRaw()] : []),
      check,
      createWriteStream(part),
    ]);
    if (sum !== entry.crc32)
      throw wheelBroken({ file, reason: `its member ${entry.name} has another checksum than its directory says` });
    await rename(part, target);
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  }
}

async function crc32Of(file: string): Promise<number> {
  let sum = 0;
  for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) sum = crc32(chunk, sum);
  return sum;
}

async function memberStream(file: string, entry: ZipEntry): Promise<NodeJS.ReadableStream> {
  const handle = await open(file);
  const header = Buffer.alloc(30);
  try {
    await handle.read(header, 0, header.length, entry.offset);
  } finally {
    await handle.close();
  }
  const start = entry.offset + header.length + header.readUInt16LE(26) + header.readUInt16LE(28);
  return createReadStream(file, { start, end: start + entry.compressedBytes - 1, highWaterMark: 1 << 20 });
}
