import { join } from "node:path";
import { parseJson, causeText, fileInFolder, MAX_TEXT_BYTES, readPlainFile } from "@thaw/contracts";
import { fileMalformed, fileUnreadable } from "../errors/files.js";

type Json = Readonly<Record<string, unknown>>;

function isMissing(cause: unknown): boolean {
  return cause instanceof Error && "code" in cause && cause.code === "ENOENT";
}

/**
 * Text of a file of a checkpoint folder; undefined where it does not exist. @throws THAW_DATA_FILE_UNREADABLE, also for
 * a link out of the folder and for what is not a file
 */
export async function readCheckpointText(folder: string, name: string): Promise<string | undefined> {
  try {
    return (await readPlainFile(await fileInFolder(folder, name), MAX_TEXT_BYTES)).toString("utf8");
  } catch (cause) {
    if (isMissing(cause)) return undefined;
    throw fileUnreadable(join(folder, name), `The file ${name}`, cause);
  }
}

/** A JSON object of a checkpoint folder; undefined where the file does not exist. @throws THAW_DATA_FILE_MALFORMED */
export async function readCheckpointJson(folder: string, name: string): Promise<Json | undefined> {
  const text = await readCheckpointText(folder, name);
  if (text === undefined) return undefined;
  const advice = "Download the file again or correct it.";
  let value: unknown;
  try {
    value = parseJson(text);
  } catch (cause) {
    throw fileMalformed(join(folder, name), `The file is not JSON: ${causeText(cause)}.`, advice, cause);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw fileMalformed(join(folder, name), "The file holds no JSON object.", advice);
  return value as Json;
}
