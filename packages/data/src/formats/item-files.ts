import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { nameList } from "@thaw/contracts";
import { fileUnreadable, setEmpty } from "../errors/files.js";

/** How names of pictures and sounds end. */
const ITEM = /\.(?:jpe?g|png|webp|gif|tiff?|bmp|avif|wav|wave|flac|mp3|ogg|oga)$/i;

/** True for the name of a picture or sound. */
export function isItem(name: string): boolean {
  return ITEM.test(name);
}

/** Names of the splits that data sets have, and what else they are called. */
const SPLITS: Readonly<Record<string, RegExp>> = {
  train: /(?:^|[^a-z])train(?:ing)?(?:[^a-z]|$)/i,
  validation: /(?:^|[^a-z])(?:val|valid|validation|dev)(?:[^a-z]|$)/i,
  test: /(?:^|[^a-z])(?:test|testing|eval|evaluation)(?:[^a-z]|$)/i,
};

/** Which split a file's name or folder tells, as Hugging Face's `datasets` reads them, if any. */
export function splitOf(name: string): string | undefined {
  return Object.keys(SPLITS).find((split) => SPLITS[split]!.test(name));
}

/**
 * Of files that tell their split those of the wanted one; of files that tell none, all. Unasked, `train` is wanted for
 * training, and for evaluation `validation`, else `test`, else `train`.
 * @throws THAW_DATA_EMPTY for a split that is not there
 */
export function ofSplit(
  names: readonly string[],
  wanted: string | undefined,
  role: "train" | "evaluation",
  origin: string,
): readonly string[] {
  const bySplit = new Map<string, string[]>();
  for (const name of names) {
    const own = splitOf(name) ?? "";
    bySplit.set(own, [...(bySplit.get(own) ?? []), name]);
  }
  const known = [...bySplit.keys()].filter((split) => split !== "");
  if (known.length === 0 && wanted === undefined) return names;
  const unasked = role === "train" ? ["train"] : ["validation", "test", "train"];
  const split = wanted ?? unasked.find((name) => bySplit.has(name));
  const found = split === undefined ? undefined : bySplit.get(splitOf(split) ?? split);
  if (found === undefined)
    throw setEmpty(
      origin,
      `It has no split "${split ?? unasked[0]}"; ` +
        `${known.length === 0 ? "it has none" : `split can be ${nameList(known)}`}.`,
    );
  return found;
}

/** Paths of the files of a path, that is one of them or a folder, with the names that the wanted ones have. */
export async function filesOf(path: string, wanted: RegExp): Promise<readonly string[]> {
  const status = await stat(path).catch((cause: unknown) => {
    throw fileUnreadable(path, "The data set", cause);
  });
  if (!status.isDirectory()) return [path];
  const entries = await readdir(path, { recursive: true });
  return entries
    .filter((name) => wanted.test(name))
    .toSorted()
    .map((name) => join(path, name));
}
