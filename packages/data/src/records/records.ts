import { createHash } from "node:crypto";
import { parseJson } from "@thaw/contracts";
import { fileMalformed } from "../errors/files.js";
import { type ByteFile, openBytes, piecesOf } from "./byte-file.js";
import { refuseForeign, TELLING_BYTES } from "./first-bytes.js";
import { ARRAY_ADVICE, indexArray } from "./json-array.js";
import { indexLines } from "./lines.js";
import type { Places } from "./places.js";

/** One object of a data file. */
export interface JsonRecord {
  readonly value: Readonly<Record<string, unknown>>;
  /** `path:line` from 1; `path[index]` from 0 in a JSON array. */
  readonly origin: string;
}

/** Objects of a data file by their number, read when they are asked for. */
export interface Records {
  readonly count: number;
  /** @throws THAW_DATA_FILE_MALFORMED with the record's place */
  read(index: number): Promise<JsonRecord>;
  /** Hash over the bytes of the records `first` to `end - 1`. */
  fingerprint(first: number, end: number): Promise<string>;
  close(): Promise<void>;
}

const LINE_ADVICE = "Write one JSON object per line.";

/** Text of UTF-8 bytes, without a byte order mark. @throws THAW_DATA_FILE_MALFORMED */
export function textOf(bytes: Buffer, origin: string, wanted = "JSON"): string {
  refuseForeign(bytes.subarray(0, TELLING_BYTES), wanted, origin, "Give a .json or .jsonl file as UTF-8 text.");
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw fileMalformed(
      origin,
      "The text is not valid UTF-8.",
      "Save the file as UTF-8, for example with `iconv -f latin1 -t utf-8`.",
      cause,
    );
  }
}

/** A JSON object of bytes. @throws THAW_DATA_FILE_MALFORMED */
export function recordOf(bytes: Buffer, origin: string, advice: string): JsonRecord {
  const text = textOf(bytes, origin);
  let value: unknown;
  try {
    value = parseJson(text);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw fileMalformed(origin, `The text is not valid JSON: ${reason}.`, advice, cause);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw fileMalformed(origin, "The value is not a JSON object.", advice);
  return { value: value as JsonRecord["value"], origin };
}

/** Hash of the bytes from the start of record `first` to the end of record `end - 1`. */
export async function hashOfPlaces(file: ByteFile, places: Places, first: number, end: number): Promise<string> {
  const hash = createHash("sha256");
  const until = places.startOf(end - 1) + places.lengthOf(end - 1);
  for await (const piece of piecesOf(file, places.startOf(first), until)) hash.update(piece);
  return hash.digest("hex").slice(0, 16);
}

async function indexed(file: ByteFile): Promise<Omit<Records, "close" | "fingerprint"> & { readonly places: Places }> {
  const { path } = file;
  refuseForeign(await file.read(0, TELLING_BYTES), "JSON", path, "Give a .json or .jsonl file as UTF-8 text.");
  const isArray = /\.json(?:\.gz|\.zst|\.zstd)?$/i.test(path);
  const lines = isArray ? undefined : await indexLines(file);
  const places = lines?.places ?? (await indexArray(file));
  const originOf = (index: number): string =>
    lines === undefined ? `${path}[${index}]` : `${path}:${lines.numberOf(index)}`;
  return {
    places,
    count: places.count,
    read: async (index) => {
      const bytes = await file.read(places.startOf(index), places.lengthOf(index));
      return recordOf(bytes, originOf(index), isArray ? ARRAY_ADVICE : LINE_ADVICE);
    },
  };
}

/**
 * The objects of a JSONL file (empty lines are skipped), or of a `.json` file that is one array; either may be packed
 * by gzip or zstd. Text is UTF-8. The caller closes them.
 * @throws THAW_DATA_FILE_UNREADABLE, THAW_DATA_FILE_MALFORMED, THAW_DATA_ZSTD
 */
export async function openRecords(path: string): Promise<Records> {
  const file = await openBytes(path);
  try {
    const { places, count, read } = await indexed(file);
    return {
      count,
      read,
      fingerprint: (first, end) => hashOfPlaces(file, places, first, end),
      close: () => file.close(),
    };
  } catch (cause) {
    await file.close();
    throw cause;
  }
}
