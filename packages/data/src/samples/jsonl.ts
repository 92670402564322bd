import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { fileMalformed, fileUnreadable } from "../errors.js";

/** One object of a data file. */
export interface JsonRecord {
  readonly value: Readonly<Record<string, unknown>>;
  /** `path:line` from 1; `path[index]` from 0 in a JSON array. */
  readonly origin: string;
}

async function* linesOf(path: string): AsyncGenerator<string> {
  let rest = "";
  for await (const chunk of createReadStream(path, "utf8")) {
    const lines = (rest + (chunk as string)).split("\n");
    rest = lines.pop() as string;
    yield* lines;
  }
  yield rest;
}

function parse(text: string, origin: string, advice: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw fileMalformed(
      origin,
      `This is no JSON: ${cause instanceof Error ? cause.message : String(cause)}.`,
      advice,
      cause,
    );
  }
}

function record(value: unknown, origin: string, advice: string): JsonRecord {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw fileMalformed(origin, "This is no JSON object.", advice);
  return { value: value as JsonRecord["value"], origin };
}

async function* arrayRecords(path: string): AsyncGenerator<JsonRecord> {
  const advice = "A .json data file holds one array of objects; a .jsonl file one object a line.";
  const value = parse(await readFile(path, "utf8"), path, advice);
  if (!Array.isArray(value)) throw fileMalformed(path, "This is no JSON array.", advice);
  for (const [index, entry] of value.entries()) yield record(entry, `${path}[${index}]`, advice);
}

async function* lineRecords(path: string): AsyncGenerator<JsonRecord> {
  const advice = "Write one JSON object a line.";
  let number = 0;
  for await (const line of linesOf(path)) {
    number += 1;
    const text = number === 1 ? line.replace(/^\uFEFF/, "") : line;
    if (text.trim() !== "") yield record(parse(text, `${path}:${number}`, advice), `${path}:${number}`, advice);
  }
}

/**
 * The objects of a JSONL file (empty lines are skipped), or of a `.json` file that is one array.
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
