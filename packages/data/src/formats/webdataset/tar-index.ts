import { fileMalformed } from "../../errors/files.js";
import type { ByteFile } from "../../records/byte-file.js";

/** A file within a tar archive. */
export interface TarMember {
  readonly name: string;
  /** Of its bytes. */
  readonly offset: number;
  readonly length: number;
  /** Where its headers begin. */
  readonly start: number;
}

const BLOCK = 512;
/** So many bytes are read at once: headers of small members lie side by side. */
const AHEAD = 16 * BLOCK;
const ADVICE = "Make the shard again, or remove it.";

/** Reads blocks of a file forwards, several at a time. */
class BlockReader {
  readonly #file: ByteFile;
  #start = 0;
  #bytes: Buffer = Buffer.alloc(0);

  constructor(file: ByteFile) {
    this.#file = file;
  }

  async read(offset: number, length: number): Promise<Buffer> {
    const from = offset - this.#start;
    if (from < 0 || from + length > this.#bytes.length) {
      this.#start = offset;
      this.#bytes = await this.#file.read(offset, Math.max(length, AHEAD));
      return this.#bytes.subarray(0, length);
    }
    return this.#bytes.subarray(from, from + length);
  }
}

function textAt(header: Buffer, start: number, length: number): string {
  const field = header.subarray(start, start + length);
  const end = field.indexOf(0);
  return field.toString("utf8", 0, end < 0 ? length : end);
}

/** A number in octal digits, or in GNU's base 256 where it is large. */
function numberAt(header: Buffer, start: number, length: number): number {
  if ((header[start]! & 0x80) === 0) return Number.parseInt(textAt(header, start, length).trim() || "0", 8);
  let value = 0;
  for (let at = start + 1; at < start + length; at += 1) value = value * 256 + header[at]!;
  return value;
}

/** True where the sum of a header's bytes is the one that it states; its own field counts as blanks. */
function isHeader(header: Buffer): boolean {
  let sum = 8 * 0x20;
  for (let at = 0; at < BLOCK; at += 1) if (at < 148 || at >= 156) sum += header[at]!;
  return sum === numberAt(header, 148, 8);
}

/** What an extended header (POSIX.1-2001, pax) says: `27 path=a/b.jpg\n` per line. */
function extended(bytes: Buffer): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  for (let at = 0; at < bytes.length;) {
    const blank = bytes.indexOf(0x20, at);
    const length = Number.parseInt(bytes.toString("latin1", at, blank), 10);
    if (blank < 0 || !(length > 0)) break;
    const line = bytes.toString("utf8", blank + 1, at + length - 1);
    values.set(line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1));
    at += length;
  }
  return values;
}

/**
 * The files of a tar archive (ustar, pax and GNU's long names), read by their headers alone.
 * @throws THAW_DATA_FILE_MALFORMED for what is not a tar archive, or one that is cut off
 */
export async function* tarMembers(file: ByteFile, first = 0, end = file.size): AsyncGenerator<TarMember> {
  const reader = new BlockReader(file);
  let start = first;
  let longName: string | undefined;
  let longSize: number | undefined;
  for (let at = first; at + BLOCK <= end;) {
    const header = await reader.read(at, BLOCK);
    if (header.every((byte) => byte === 0)) return;
    if (!isHeader(header)) throw fileMalformed(`${file.path} byte ${at}`, "There is no tar header.", ADVICE);
    const kind = String.fromCharCode(header[156]!);
    const length = numberAt(header, 124, 12);
    const size = longSize !== undefined && kind !== "x" ? longSize : length;
    const offset = at + BLOCK;
    const next = offset + Math.ceil(size / BLOCK) * BLOCK;
    if (!Number.isSafeInteger(size) || size < 0)
      throw fileMalformed(`${file.path} byte ${at}`, "A tar header says no size.", ADVICE);
    if (offset + size > file.size) throw fileMalformed(file.path, "The tar archive is cut off.", ADVICE);
    if (kind === "x") {
      const values = extended(await reader.read(offset, size));
      longName = values.get("path") ?? longName;
      longSize = values.has("size") ? Number(values.get("size")) : undefined;
    } else if (kind === "L") longName = (await reader.read(offset, size)).toString("utf8").replace(/\0+$/, "");
    else {
      const prefix = textAt(header, 345, 155);
      const name = longName ?? (prefix === "" ? "" : `${prefix}/`) + textAt(header, 0, 100);
      if (kind === "0" || kind === "\0") yield { name, offset, length: size, start };
      longName = undefined;
      longSize = undefined;
      start = next;
    }
    at = next;
  }
}
