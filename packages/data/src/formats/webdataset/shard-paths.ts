import { setEmpty } from "../../errors/files.js";
import { filesOf } from "../item-files.js";

/** Numbers in braces as shells write them: `{000..012}`, with as many digits as the first has. */
const RANGE = /\{(\d+)\.\.(\d+)\}/;

function expanded(pattern: string): readonly string[] {
  const match = RANGE.exec(pattern);
  if (match === null) return [pattern];
  const [text, first, last] = match as unknown as readonly [string, string, string];
  const count = Math.max(0, Number(last) - Number(first) + 1);
  return Array.from({ length: count }, (_, index) =>
    pattern.replace(text, String(Number(first) + index).padStart(first.length, "0")),
  ).flatMap(expanded);
}

/** The shards of a path: those that braces name, the archives of a folder, or the one file. @throws THAW_DATA_EMPTY */
export async function shardPaths(path: string): Promise<readonly string[]> {
  const paths: string[] = [];
  for (const one of expanded(path)) paths.push(...(await filesOf(one, /\.tar(?:\.(?:gz|zst))?$/i)));
  if (paths.length === 0) throw setEmpty(path, "Give a tar archive, or a folder of them.");
  return paths;
}
