import crc32c from "crc-32/crc32c.js";

/** What LevelDB and TFRecord add to a checksum that is stored beside what it is of. */
const MASK_DELTA = 0xa282ead8;

/**
 * A record of a TFRecord file: length as uint64, its masked CRC-32C, the bytes, their masked CRC-32C; little-endian
 * (TensorFlow, `lib/io/record_writer.cc`).
 */
export function tfRecord(bytes: Uint8Array): Buffer {
  const record = Buffer.alloc(12 + bytes.length + 4);
  record.writeBigUInt64LE(BigInt(bytes.length), 0);
  record.writeUInt32LE(maskedCrc(record.subarray(0, 8)), 8);
  record.set(bytes, 12);
  record.writeUInt32LE(maskedCrc(bytes), 12 + bytes.length);
  return record;
}

/** CRC-32C, rotated right by 15 bits and shifted by a constant. */
export function maskedCrc(bytes: Uint8Array): number {
  const crc = crc32c.buf(bytes) >>> 0;
  return (((crc >>> 15) | (crc << 17)) + MASK_DELTA) >>> 0;
}
