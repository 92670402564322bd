import { fileMalformed } from "../errors/files.js";
import { type ByteFile, piecesOf } from "./byte-file.js";

/** A part of a file as a file. */
export function sliceOf(file: ByteFile, start: number, end: number): ByteFile {
  return {
    path: file.path,
    size: end - start,
    read: (offset, length) => file.read(start + offset, Math.min(length, end - start - offset)),
    close: () => file.close(),
  };
}

const [QUOTE, BACKSLASH, COLON] = [0x22, 0x5c, 0x3a];

/**
 * Where the values of a JSON object's keys lie that are arrays, without parsing them.
 * @throws THAW_DATA_FILE_MALFORMED for what is not an object, or one that is cut off
 */
export async function arraysOf(file: ByteFile): Promise<ReadonlyMap<string, readonly [start: number, end: number]>> {
  const arrays = new Map<string, readonly [number, number]>();
  let depth = 0;
  let inString = false;
  let isEscaped = false;
  let text: number[] = [];
  let key = "";
  let start = -1;
  let offset = 0;
  let isObject = false;
  for await (const piece of piecesOf(file)) {
    for (let at = 0; at < piece.length; at += 1) {
      const byte = piece[at]!;
      if (inString) {
        if (isEscaped) isEscaped = false;
        else if (byte === BACKSLASH) isEscaped = true;
        else if (byte === QUOTE) inString = false;
        if (inString && depth === 1) text.push(byte);
      } else if (byte === QUOTE) {
        inString = true;
        if (depth === 1) text = [];
      } else if (byte === COLON && depth === 1) key = Buffer.from(text).toString("utf8");
      else if (byte === 0x5b || byte === 0x7b) {
        if (depth === 0) isObject = byte === 0x7b;
        depth += 1;
        if (depth === 2 && byte === 0x5b) start = offset + at;
      } else if (byte === 0x5d || byte === 0x7d) {
        depth -= 1;
        if (depth === 1 && start >= 0) arrays.set(key, [start, offset + at + 1]);
        if (depth === 1) start = -1;
      }
    }
    offset += piece.length;
  }
  const advice = "The file holds one JSON object.";
  if (!isObject) throw fileMalformed(file.path, "The value is not a JSON object.", advice);
  if (depth > 0) throw fileMalformed(file.path, "The text is not valid JSON: it is cut off.", advice);
  return arrays;
}
