import { stat } from "node:fs/promises";
import { dirname } from "node:path";
import { setEmpty } from "../../errors/files.js";
import { filesOf } from "../item-files.js";

/** Numbers in braces as shells write them: `{000..012}`, with as many digits as the first has. */
const RANGE = /\{(\d+)\.\.(\d+)\}/;

const MAX_SHARDS = 1_000_000;

function expanded(pattern: string): readonly string[] {
  const match = RANGE.exec(pattern);
  if (match === null) return [pattern];
  const [text, first, last] = match as unknown as readonly [string, string, string];
  const count = Math.max(0, Number(last) - Number(first) + 1);
  if (count > MAX_SHARDS) throw setEmpty(pattern, `${text} names ${count} shards; at most ${MAX_SHARDS} are read.`);
  return Array.from({ length: count }, (_, index) =>
    pattern.replace(text, String(Number(first) + index).padStart(first.length, "0")),
  ).flatMap(expanded);
}

/** The part of a path that all its shards begin with: itself where it is a folder, else the folder they lie in. */
export async function shardFolder(path: string): Promise<string> {
  const status = await stat(path).catch(() => undefined);
  return status?.isDirectory() === true ? path : dirname(path.replace(/\{.*$/s, "x"));
}

/** The shards of a path: those that braces name, the archives of a folder, or the one file. @throws THAW_DATA_EMPTY */
export async function shardPaths(path: string): Promise<readonly string[]> {
  const paths: string[] = [];
  for (const one of expanded(path)) paths.push(...(await filesOf(one, /\.tar(?:\.(?:gz|zst))?$/i)));
  if (paths.length === 0) throw setEmpty(path, "Give a tar archive, or a folder of them.");
  return paths;
}
