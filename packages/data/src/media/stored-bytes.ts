import { open } from "node:fs/promises";
import { type MediaReference, readPlainFile } from "@thaw/contracts";

/** Beginning and end of an item's bytes, and how many there are. */
export interface ByteEnds {
  readonly size: number;
  readonly head: Buffer;
  readonly tail: Buffer;
}

/**
 * The bytes of an item, wherever they lie. @throws an `Error` for more than `limit` bytes, and what the system says
 */
export async function readMedia(source: MediaReference, limit: number): Promise<Uint8Array> {
  switch (source.kind) {
    case "bytes":
      return source.bytes;
    case "file":
      return readPlainFile(source.path, limit);
    case "range":
      if (source.length > limit) throw new Error(`it has ${source.length} bytes, and at most ${limit} are read`);
      return readRange(source.path, source.offset, source.length);
    case "cell":
      return cellOf(source, limit);
  }
}

/** The value of a cell; what reads Parquet is loaded with the first one. */
async function cellOf(source: Extract<MediaReference, { kind: "cell" }>, limit: number): Promise<Uint8Array> {
  const { readCell } = await import("../formats/parquet/cells.js");
  const bytes = await readCell(source);
  if (bytes.length > limit) throw new Error(`it has ${bytes.length} bytes, and at most ${limit} are read`);
  return bytes;
}

/** The ends of an item that is not a file of its own. */
export async function endsOf(
  source: Exclude<MediaReference, { kind: "file" }>,
  headBytes: number,
  tailBytes: number,
): Promise<ByteEnds> {
  if (source.kind === "range") {
    const { path, offset, length } = source;
    const [head, tail] = [Math.min(headBytes, length), Math.min(tailBytes, length)];
    return {
      size: length,
      head: await readRange(path, offset, head),
      tail: await readRange(path, offset + length - tail, tail),
    };
  }
  const bytes = await readMedia(source, Number.POSITIVE_INFINITY);
  const whole = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return { size: whole.length, head: whole.subarray(0, headBytes), tail: whole.subarray(-tailBytes) };
}

async function readRange(path: string, offset: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(length);
  const handle = await open(path);
  try {
    let done = 0;
    while (done < length) {
      const { bytesRead } = await handle.read(bytes, done, length - done, offset + done);
      if (bytesRead === 0) throw new Error(`the file ends before byte ${offset + length}`);
      done += bytesRead;
    }
    return bytes;
  } finally {
    await handle.close();
  }
}
