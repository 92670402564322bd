import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { cosmiconfig } from "cosmiconfig";
import { configNotFound, configUnreadable } from "../errors.js";

const CODE = ["ts", "mts", "cts", "js", "mjs", "cjs"];
const DATA = ["yaml", "yml", "json"];
const ENDINGS = [...CODE, ...DATA];

/** Where a config is looked for, in this order, in each folder upwards to the project's root. */
export const SEARCH_PLACES: readonly string[] = [
  "package.json",
  ".thawrc",
  ...ENDINGS.map((ending) => `.thawrc.${ending}`),
  ...ENDINGS.map((ending) => `thaw.config.${ending}`),
];

/** Which reader a file needs. */
export function configKind(file: string): "code" | "data" | undefined {
  const ending = /\.([a-z]+)$/.exec(file)?.[1];
  if (/(^|[\\/])\.thawrc$/.test(file) || (ending !== undefined && DATA.includes(ending))) return "data";
  return ending !== undefined && CODE.includes(ending) ? "code" : undefined;
}

/** File endings that a config may have. */
export const CONFIG_ENDINGS: readonly string[] = ENDINGS.map((ending) => `.${ending}`);

/**
 * The config's absolute path: the given file, the one inside a given folder, or the one that cosmiconfig finds from
 * `folder` upwards. `@throws THAW_CONFIG_NOT_FOUND, THAW_CONFIG_UNREADABLE`.
 */
export async function discoverConfig(folder: string, given?: string): Promise<string> {
  const start = given === undefined ? folder : resolve(folder, given);
  let isFolder = true;
  if (given !== undefined) {
    try {
      isFolder = (await stat(start)).isDirectory();
    } catch (cause) {
      throw configUnreadable(start, cause);
    }
  }
  if (!isFolder) return start;
  // cosmiconfig only finds: our readers keep lines and provenance. package.json is read, as only some have the entry.
  const exists = (): Record<string, never> => ({});
  const readers = Object.fromEntries(
    ["noExt", ...CODE.map((ending) => `.${ending}`), ".yaml", ".yml"].map((key) => [key, exists]),
  );
  const explorer = cosmiconfig("thaw", {
    searchPlaces: [...SEARCH_PLACES],
    searchStrategy: given === undefined ? "project" : "none",
    cache: false,
    loaders: {
      ...readers,
      ".json": (path: string, text: string) => (path.endsWith("package.json") ? (JSON.parse(text) as unknown) : {}),
    },
  });
  const found = await explorer.search(start);
  if (found === null)
    throw configNotFound(start, [
      "thaw.config.{ts,js,mjs,yaml,yml,json}",
      ".thawrc",
      'the "thaw" entry of package.json',
    ]);
  return found.filepath;
}
