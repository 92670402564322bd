import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { type DatasetFormat, nameList } from "@thaw/contracts";
import { fileUnreadable, kindUnknown, optionsInvalid } from "../errors/files.js";
import { headOf } from "../records/byte-file.js";
import { recognise, TELLING_BYTES } from "../records/first-bytes.js";
import { type MixedSource, mixedSchemaOf, type ResolvedMixedSource } from "./source-schema.js";

function parse(options: unknown, formats: readonly DatasetFormat[]): ResolvedMixedSource {
  const result = mixedSchemaOf(formats).safeParse(options);
  if (result.success) return result.data;
  throw optionsInvalid(
    result.error.issues.map(({ path, message }) => (path.length === 0 ? message : `${path.join(".")}: ${message}`)),
  );
}

/** What kind of data a path holds, judged by its content. */
async function kindOf(given: string, baseFolder: string, formats: readonly DatasetFormat[]): Promise<unknown> {
  const path = resolve(baseFolder, given);
  const status = await stat(path).catch((cause: unknown) => {
    throw fileUnreadable(path, "The data set", cause);
  });
  for (const format of formats) {
    const options = await format.recognises?.(path);
    if (options !== undefined) return { type: format.type, ...options };
  }
  const found = status.isFile() ? recognise(await headOf(path, TELLING_BYTES)) : undefined;
  const known = `Say what it is by type; known are ${nameList(formats.map(({ type }) => type))}.`;
  throw kindUnknown(given, found === undefined ? known : `It is ${found.name}. ${found.advice ?? known}`);
}

/**
 * Fills defaults and expands the short forms: `iconify:noto`, or the path of a file or folder that one of the formats
 * recognises. Relative paths start from `baseFolder`.
 * @throws THAW_DATA_OPTIONS, THAW_DATA_KIND_UNKNOWN, THAW_DATA_FILE_UNREADABLE, THAW_DATA_FILE_MALFORMED,
 * THAW_DATA_EMPTY
 */
export async function resolveSource(
  options: MixedSource,
  baseFolder: string,
  formats: readonly DatasetFormat[],
): Promise<ResolvedMixedSource> {
  if (typeof options !== "string") return parse(options, formats);
  if (options.startsWith("iconify:")) return parse({ type: "iconify", set: options.slice("iconify:".length) }, formats);
  return parse(await kindOf(options, baseFolder, formats), formats);
}
