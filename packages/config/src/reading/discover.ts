import { readdir, stat } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";
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

/** Configs that lie beside the one that discovery took, by their names: nothing reads them. */
export async function configsBeside(file: string): Promise<readonly string[]> {
  const names = new Set(await readdir(dirname(file)));
  return SEARCH_PLACES.filter((name) => name !== "package.json" && name !== basename(file) && names.has(name));
}

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
    // An empty config is one: it says so, where another one would be taken instead.
    ignoreEmptySearchPlaces: false,
    loaders: {
      ...readers,
      ".json": (path: string, text: string) => {
        if (!path.endsWith("package.json")) return {};
        const value: unknown = JSON.parse(text);
        if (typeof value === "object" && value !== null && "thaw" in value) return value;
        throw Object.assign(new Error("no thaw entry"), { code: "ENOENT" });
      },
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
