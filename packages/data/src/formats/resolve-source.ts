import { readFile, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { fileUnreadable, kindUnknown, optionsInvalid, setEmpty } from "../errors.js";
import { readRecords } from "../samples/jsonl.js";
import { type ResolvedSourceOptions, type SourceOptions, sourceSchema } from "./options.js";

function parse(options: unknown): ResolvedSourceOptions {
  const result = sourceSchema.safeParse(options);
  if (result.success) return result.data;
  throw optionsInvalid(
    result.error.issues.map(({ path, message }) => (path.length === 0 ? message : `${path.join(".")}: ${message}`)),
  );
}

async function isIconifyFile(path: string): Promise<boolean> {
  if (!path.endsWith(".json")) return false;
  const head = (await readFile(path, "utf8")).trimStart();
  return head.startsWith("{") && /"prefix"\s*:/.test(head.slice(0, 10_000)) && head.includes('"icons"');
}

/** What kind of data a path holds: an Iconify set, conversations or captions, judged by its content. */
async function kindOf(given: string, baseFolder: string): Promise<unknown> {
  const path = resolve(baseFolder, given);
  const status = await stat(path).catch((cause: unknown) => {
    throw fileUnreadable(path, "The data set", cause);
  });
  if (status.isDirectory()) {
    const icons = join(path, "icons.json");
    if (
      await stat(icons).then(
        () => true,
        () => false,
      )
    )
      return { type: "iconify", set: icons };
    throw kindUnknown(given, "The folder holds no icons.json. Give a .jsonl file, an icons.json or iconify:<name>.");
  }
  if (await isIconifyFile(path)) return { type: "iconify", set: path };
  for await (const { value } of readRecords(path)) {
    return { type: "conversations" in value || "messages" in value ? "conversations" : "captions", path };
  }
  throw setEmpty(path, "Write one sample a line.");
}

/**
 * Fills defaults and expands the short forms: `iconify:noto`, or a path to a JSONL file, a JSON array, an `icons.json`
 * or a folder with one. Relative paths start from `baseFolder`.
 * @throws THAW_DATA_OPTIONS, THAW_DATA_KIND_UNKNOWN, THAW_DATA_FILE_UNREADABLE, THAW_DATA_FILE_MALFORMED,
 * THAW_DATA_EMPTY
 */
export async function resolveSource(options: SourceOptions, baseFolder: string): Promise<ResolvedSourceOptions> {
  if (typeof options !== "string") return parse(options);
  if (options.startsWith("iconify:")) return parse({ type: "iconify", set: options.slice("iconify:".length) });
  return parse(await kindOf(options, baseFolder));
}
