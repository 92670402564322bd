import crc32 from "crc-32";
import { decodeRecord, encodeRecord, type WandbRecord } from "./messages.js";

/** Bytes of a block, at whose end no record crosses over but in parts. */
const BLOCK = 32_768;
/** Bytes before each part: checksum, length, kind. */
const PART_HEADER = 7;
const [FULL, FIRST, MIDDLE, LAST] = [1, 2, 3, 4] as const;
/** What a file begins with: `:W&B`, 0xBEE1 and version 0 (wandb 0.31, `leveldb/record`). */
export const FILE_HEADER: Buffer = Buffer.from([0x3a, 0x57, 0x26, 0x42, 0xe1, 0xbe, 0]);

/**
 * The bytes of a record in a file that has `offset` bytes: parts of LevelDB's log format (google/leveldb,
 * `doc/log_format.md`), with the plain CRC-32 of kind and bytes that W&B takes instead of LevelDB's.
 */
export function recordBytes(record: WandbRecord, offset: number): Buffer {
  const bytes = encodeRecord(record);
  const parts: Buffer[] = [];
  let [at, done] = [offset, 0];
  do {
    let room = BLOCK - (at % BLOCK);
    if (room < PART_HEADER) {
      parts.push(Buffer.alloc(room));
      at += room;
      room = BLOCK;
    }
    const taken = Math.min(bytes.length - done, room - PART_HEADER);
    const [isFirst, isLast] = [done === 0, done + taken === bytes.length];
    const kind = isFirst ? (isLast ? FULL : FIRST) : isLast ? LAST : MIDDLE;
    parts.push(part(kind, bytes.subarray(done, done + taken)));
    at += PART_HEADER + taken;
    done += taken;
  } while (done < bytes.length);
  return Buffer.concat(parts);
}

function part(kind: number, bytes: Uint8Array): Buffer {
  const result = Buffer.alloc(PART_HEADER + bytes.length);
  result.writeUInt16LE(bytes.length, 4);
  result[6] = kind;
  result.set(bytes, PART_HEADER);
  result.writeUInt32LE(crc32.buf(result.subarray(6)) >>> 0, 0);
  return result;
}

/** The whole records of a file: where a process was killed while it wrote, those before. */
export function readRecords(file: Buffer): readonly WandbRecord[] {
  const records: WandbRecord[] = [];
  let parts: Buffer[] = [];
  for (let at = FILE_HEADER.length; at + PART_HEADER <= file.length;) {
    const room = BLOCK - (at % BLOCK);
    if (room < PART_HEADER) {
      at += room;
      continue;
    }
    const end = at + PART_HEADER + file.readUInt16LE(at + 4);
    const kind = file[at + 6]!;
    if (end > file.length || file.readUInt32LE(at) !== crc32.buf(file.subarray(at + 6, end)) >>> 0) break;
    parts.push(file.subarray(at + PART_HEADER, end));
    if (kind === FULL || kind === LAST) {
      records.push(decodeRecord(Buffer.concat(parts)));
      parts = [];
    }
    at = end;
  }
  return records;
}
