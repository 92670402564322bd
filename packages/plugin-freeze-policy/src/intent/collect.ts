import { append, type Finding, type Origin, type Setting } from "@thaw/core";
import { assemble, flatten, isEmpty } from "./flatten.js";
import { readIntent, type Entry } from "./intent.js";
import { aliasesDisagree } from "../rules/aliases-disagree.js";
import { readKey, segmentsOf, type KeyPath, type Vocabulary } from "./vocabulary.js";

/** All settings that say one thing in one or several spellings, resolved. */
export interface Resolved<Value> {
  readonly value: Value;
  readonly setting: Setting;
  /** Settings of lower origin that this one replaces. */
  readonly overridden: readonly Setting[];
}

/** The freeze section, read once: one value per canonical key. Keys whose spellings disagree are in `clashes` only. */
export interface FreezeSettings {
  readonly flags: ReadonlyMap<string, Resolved<boolean>>;
  readonly shortcut?: Resolved<boolean>;
  /** By component in snake case. */
  readonly entries: ReadonlyMap<string, Resolved<Entry>>;
  readonly stopGradientAfter?: Resolved<readonly string[]>;
  /** Canonical keys (`freezeVisionTower`, `components.vision_tower`) whose spellings disagree. */
  readonly clashes: ReadonlyMap<string, Clash>;
}

/**
 * Spellings of one key with different values, all of one origin. A clash in presets matters only where nothing explicit
 * decides.
 */
export interface Clash {
  readonly finding: Finding;
  readonly rank: number;
}

const RANK: Readonly<Record<Origin, number>> = { default: 0, preset: 1, explicit: 2 };

/** Precedence of an origin: a higher one replaces a lower one. */
export function originRank(setting: Setting): number {
  return RANK[setting.origin];
}

interface Leaf {
  readonly path: KeyPath;
  readonly setting: Setting;
}

/** Groups the settings of the freeze section by canonical key and finds spellings of one key that disagree. */
export function collectSettings(settings: readonly Setting[], vocabulary: Vocabulary): FreezeSettings {
  const groups = new Map<string, Leaf[]>();
  for (const setting of settings.flatMap((one) => (one.means === undefined ? flatten(one) : [one]))) {
    const path = readKey(setting);
    if (path === undefined || setting.value === undefined || setting.value === null || setting.origin === "default")
      continue;
    if (path.length <= 2 && isEmpty(setting.value)) continue; // an entry without a word about the component
    const key = path[0] === "components" ? path.slice(0, 2).join(".") : path[0]!;
    append(groups, key, { path, setting });
  }
  const flags = new Map<string, Resolved<boolean>>();
  const entries = new Map<string, Resolved<Entry>>();
  const clashes = new Map<string, Clash>();
  let shortcut: Resolved<boolean> | undefined;
  let stopGradientAfter: Resolved<readonly string[]> | undefined;
  for (const [key, leaves] of groups) {
    const depth = key.startsWith("components.") ? 2 : 1;
    const candidates = bySpelling(leaves, depth);
    const best = Math.max(...candidates.map(({ setting }) => originRank(setting)));
    const winners = candidates.filter(({ setting }) => originRank(setting) === best);
    const distinct = new Map(
      winners.map((candidate) => [JSON.stringify(canonicalValue(candidate.value, depth)), candidate]),
    );
    const clashing =
      distinct.size > 1
        ? [...distinct.values()].map(({ setting }) => setting)
        : depth === 2
          ? innerClash(winners.at(-1)!.leaves)
          : undefined;
    if (clashing !== undefined) {
      const named = distinct.size > 1 ? key.split(".") : readKey(clashing[0]!)!;
      clashes.set(key, { finding: aliasesDisagree(clashing, vocabulary.write(named) ?? key), rank: best });
      continue;
    }
    const { setting, value, leaves: own } = winners.at(-1)!;
    const overridden = candidates
      .filter((candidate) => originRank(candidate.setting) < best)
      .map((candidate) => candidate.setting);
    if (depth === 2) {
      const component = key.slice("components.".length);
      entries.set(component, { value: { component, ...readIntent(value), setting, leaves: own }, setting, overridden });
    } else if (key === "trainMmProjOnly") shortcut = { value: value as boolean, setting, overridden };
    else if (key === "stopGradientAfter")
      stopGradientAfter = { value: value as readonly string[], setting, overridden };
    else flags.set(key, { value: value as boolean, setting, overridden });
  }
  return { flags, shortcut, entries, stopGradientAfter, clashes };
}

interface Candidate {
  /** In the user's words. */
  readonly setting: Setting;
  /** In Thaw's. */
  readonly value: unknown;
  readonly leaves: readonly Setting[];
}

/** One candidate per spelling of the key and origin; the last setting of one path replaces earlier ones. */
function bySpelling(leaves: readonly Leaf[], depth: number): readonly Candidate[] {
  const groups = new Map<string, { head: string; leaves: Map<string, Leaf> }>();
  for (const leaf of leaves) {
    const head = spelledHead(leaf, depth);
    const key = `${leaf.setting.origin} ${head}`;
    const group = groups.get(key) ?? { head, leaves: new Map<string, Leaf>() };
    group.leaves.set(leaf.setting.path, leaf);
    groups.set(key, group);
  }
  return [...groups.values()].map(({ head, leaves: own }) => {
    const list = [...own.values()];
    const first = list.reduce((left, right) =>
      (right.setting.line ?? Infinity) < (left.setting.line ?? Infinity) ? right : left,
    );
    const meant = list.findLast(({ setting }) => setting.means !== undefined)?.setting;
    const value =
      meant?.means?.value ??
      assemble(
        list.map(({ path, setting }) => [spelledRest(setting.path, head, path.length - depth), setting.value] as const),
      );
    return {
      setting: meant ?? { ...first.setting, path: head, value },
      value,
      leaves: list.map(({ setting }) => setting),
    };
  });
}

/** The part of the user's path that spells the key itself, without what is inside a `components` entry. */
function spelledHead({ path, setting }: Leaf, depth: number): string {
  if (setting.means !== undefined) return setting.path;
  const segments = segmentsOf(setting.path);
  return segments.slice(0, segments.length - (path.length - depth)).join(".");
}

function spelledRest(path: string, head: string, count: number): readonly string[] {
  return count === 0 ? [] : segmentsOf(path).slice(segmentsOf(head).length);
}

/** `last_blocks` and `lastBlocks` in one entry with different values. */
function innerClash(leaves: readonly Setting[]): readonly Setting[] | undefined {
  const byKey = new Map<string, Setting>();
  for (const leaf of leaves) {
    const key = leaf.path.toLowerCase().replaceAll("_", "");
    const other = byKey.get(key);
    if (other !== undefined && JSON.stringify(other.value) !== JSON.stringify(leaf.value)) return [other, leaf];
    byKey.set(key, leaf);
  }
  return undefined;
}

function canonicalValue(value: unknown, depth: number): unknown {
  if (depth === 1) return value;
  const { intent } = readIntent(value);
  return Object.entries(intent)
    .filter(([, inner]) => inner !== undefined)
    .sort(([left], [right]) => (left < right ? -1 : 1));
}
