import { type Finding, nearestNames, toCamelCase } from "@thaw/core";
import { findBlocks } from "./blocks.js";
import type { Entry } from "../intent/intent.js";
import { matchesPattern, runsOf } from "./pattern.js";
import { blocksUnmatched, patternUnmatched } from "../rules/selector-matches-nothing.js";

/** What a selector does not select, for messages about one that selects nothing. */
export interface Elsewhere {
  /** Names of other components' parameters. */
  readonly others: ReadonlyMap<string, readonly string[]>;
  /** Names of buffers. */
  readonly buffers: readonly string[];
}

/** Which names of a component a partial entry trains. Undefined where a selector matches nothing, which is reported. */
export function selectNames(
  entry: Entry,
  names: readonly string[],
  { others, buffers }: Elsewhere,
  report: (finding: Finding) => void,
): ReadonlySet<string> | undefined {
  const { intent } = entry;
  const selected = new Set<string>();
  let isComplete = true;
  const blocks = findBlocks(names);
  for (const key of ["firstBlocks", "lastBlocks"] as const) {
    const count = intent[key];
    if (count === undefined) continue;
    if (blocks === undefined || count > blocks.numbers.length) {
      report(blocksUnmatched(leafOf(entry, key), entry.component, blocks?.numbers.length ?? 0, blocks?.prefix));
      isComplete = false;
      continue;
    }
    const numbers = key === "firstBlocks" ? blocks.numbers.slice(0, count) : blocks.numbers.slice(-count);
    for (const number of numbers) for (const name of blocks.names.get(number)!) selected.add(name);
  }
  for (const pattern of intent.match ?? []) {
    const matched = names.filter((name) => matchesPattern(name, pattern));
    for (const name of matched) selected.add(name);
    if (matched.length > 0) continue;
    const isHit = (name: string): boolean => matchesPattern(name, pattern);
    report(
      patternUnmatched(leafOf(entry, "match"), pattern, entry.component, {
        nearest: nearestNames(pattern, runsOf(names, pattern.split(".").length)),
        components: [...others].filter(([, theirs]) => theirs.some(isHit)).map(([component]) => component),
        buffers: buffers.filter(isHit),
      }),
    );
    isComplete = false;
  }
  return isComplete ? selected : undefined;
}

/** The leaf setting of one key of the entry, or the entry itself. */
function leafOf(entry: Entry, key: string) {
  if (entry.setting.means !== undefined) return entry.setting;
  const depth = entry.setting.path.split(".").length;
  const leaf = entry.leaves.find(({ path }) => toCamelCase(path.split(".")[depth] ?? "") === key);
  return leaf === undefined
    ? entry.setting
    : {
        ...leaf,
        path: leaf.path
          .split(".")
          .slice(0, depth + 1)
          .join("."),
        value: entry.intent[key as "match"],
      };
}
