import type { FileHandle } from "node:fs/promises";
import { parseJson, openPlainFile } from "@thaw/contracts";
import { fileMalformed, fileUnreadable } from "../errors.js";

/** One object of a data file. */
export interface JsonRecord {
  readonly value: Readonly<Record<string, unknown>>;
  /** `path:line` from 1; `path[index]` from 0 in a JSON array. */
  readonly origin: string;
}

const NEWLINE = 0x0a;
/** How files that are not a text begin: read as text they would fill the terminal with their bytes. */
const FOREIGN: readonly (readonly [magic: string, name: string])[] = [
  ["PAR1", "a Parquet file"],
  ["ARROW1", "an Arrow file"],
  ["\u001f\u008b", "a gzip archive"],
  ["PK\u0003\u0004", "a zip archive"],
  ["version https://git-lfs", "a git-lfs pointer: the file itself was not fetched (`git lfs pull`)"],
];

/** A pipe or device would be waited for without end. @throws THAW_DATA_FILE_UNREADABLE */
function openData(path: string): Promise<FileHandle> {
  return openPlainFile(path).catch((cause: unknown) => {
    throw fileUnreadable(path, "The data file", cause);
  });
}

/** Lines as bytes, without their end; each byte is looked at once, however long the line is. */
async function* linesOf(path: string): AsyncGenerator<Buffer> {
  let parts: Buffer[] = [];
  const handle = await openData(path);
  for await (const chunk of handle.createReadStream() as AsyncIterable<Buffer>) {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      yield Buffer.concat([...parts, chunk.subarray(start, end)]);
      parts = [];
      start = end + 1;
    }
    if (start < chunk.length) parts.push(chunk.subarray(start));
  }
  yield Buffer.concat(parts);
}

/** Text of UTF-8 bytes, without a byte order mark. */
function textOf(bytes: Buffer, origin: string): string {
  const head = bytes.subarray(0, 32).toString("latin1");
  const foreign = FOREIGN.find(([magic]) => head.startsWith(magic));
  if (foreign !== undefined)
    throw fileMalformed(origin, `This is ${foreign[1]}, not JSON.`, "Give a .json or .jsonl file as UTF-8 text.");
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

function parse(text: string, origin: string, advice: string): unknown {
  try {
    return parseJson(text);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw fileMalformed(origin, `The text is not valid JSON: ${reason}.`, advice, cause);
  }
}

function record(value: unknown, origin: string, advice: string): JsonRecord {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw fileMalformed(origin, "The value is not a JSON object.", advice);
  return { value: value as JsonRecord["value"], origin };
}

async function* arrayRecords(path: string): AsyncGenerator<JsonRecord> {
  const advice = "A .json data file holds one array of objects; a .jsonl file one object per line.";
  const handle = await openData(path);
  let value: unknown;
  try {
    value = parse(textOf(await handle.readFile(), path), path, advice);
  } finally {
    await handle.close();
  }
  if (!Array.isArray(value)) throw fileMalformed(path, "The value is not a JSON array.", advice);
  for (const [index, entry] of value.entries()) yield record(entry, `${path}[${index}]`, advice);
}

async function* lineRecords(path: string): AsyncGenerator<JsonRecord> {
  const advice = "Write one JSON object per line.";
  let number = 0;
  for await (const line of linesOf(path)) {
    number += 1;
    const origin = `${path}:${number}`;
    const text = textOf(line, origin);
    if (text.trim() !== "") yield record(parse(text, origin, advice), origin, advice);
  }
}

/**
 * The objects of a JSONL file (empty lines are skipped), or of a `.json` file that is one array. Text is UTF-8.
 * @throws THAW_DATA_FILE_UNREADABLE, THAW_DATA_FILE_MALFORMED with the line
 */
export async function* readRecords(path: string): AsyncGenerator<JsonRecord> {
  try {
    yield* path.endsWith(".json") ? arrayRecords(path) : lineRecords(path);
  } catch (cause) {
    if (cause instanceof Error && "syscall" in cause) throw fileUnreadable(path, "The data file", cause);
    throw cause;
  }
}
