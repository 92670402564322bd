import type { ComponentDeclaration, Finding, ParameterInfo } from "@thaw/contracts";
import { nearestNames } from "@thaw/safetensors";
import { nameList } from "../text.js";

/** Which component owns each parameter, and what stands in the way of a total, disjoint answer. */
export interface Ownership {
  /** Names that nobody owns, or two components do, are absent. */
  readonly owners: ReadonlyMap<string, string>;
  readonly findings: readonly Finding[];
}

/** True if `prefix` is `name` or a run of its leading whole dot-segments: `layers.1` is no prefix of `layers.10`. */
export function isSegmentPrefix(prefix: string, name: string): boolean {
  return name === prefix || (name.startsWith(prefix) && name[prefix.length] === ".");
}

/**
 * Gives every parameter its one owner: the component with the longest matching prefix, or the one that the parameter
 * names itself. Findings: `component-claimed-twice` for a tie, `parameter-unowned` with the nearest prefixes.
 */
export function resolveOwners(
  parameters: readonly ParameterInfo[],
  components: readonly ComponentDeclaration[],
): Ownership {
  const byPrefix = prefixTable(components);
  const declared = new Set(components.map(({ name }) => name));
  const owners = new Map<string, string>();
  const unowned: string[] = [];
  const claimed = new Map<string, string[]>();
  for (const { name, component } of parameters) {
    if (component !== undefined && declared.has(component)) {
      owners.set(name, component);
      continue;
    }
    const claimants = component === undefined ? claimantsOf(name, byPrefix) : [];
    const [first] = claimants;
    if (first === undefined) unowned.push(name);
    else if (claimants.length === 1) owners.set(name, first);
    else append(claimed, claimants.join(" and "), name);
  }
  return {
    owners,
    findings: [...claimed]
      .map(([pair, names]) => claimedTwice(pair, names))
      .concat(unownedFindings(unowned, components)),
  };
}

function prefixTable(components: readonly ComponentDeclaration[]): ReadonlyMap<string, readonly string[]> {
  const table = new Map<string, string[]>();
  for (const { name, prefixes } of components) for (const prefix of new Set(prefixes)) append(table, prefix, name);
  return table;
}

/** Components with the longest prefix of `name`: looked up from the whole name down, a dot at a time. */
function claimantsOf(name: string, byPrefix: ReadonlyMap<string, readonly string[]>): readonly string[] {
  for (let end = name.length; end > 0; end = name.lastIndexOf(".", end - 1)) {
    const claimants = byPrefix.get(name.slice(0, end));
    if (claimants !== undefined) return claimants;
  }
  return byPrefix.get("") ?? [];
}

function append(map: Map<string, string[]>, key: string, value: string): void {
  const values = map.get(key);
  if (values === undefined) map.set(key, [value]);
  else values.push(value);
}

function claimedTwice(pair: string, names: readonly string[]): Finding {
  return {
    rule: "component-claimed-twice",
    severity: "error",
    message: `The components ${pair} both own ${nameList(names)} by a prefix of the same length.`,
    fix: "Give one of them a longer prefix, or remove the prefix from the other.",
    settings: [],
  };
}

function unownedFindings(names: readonly string[], components: readonly ComponentDeclaration[]): readonly Finding[] {
  if (names.length === 0) return [];
  const prefixes = components.flatMap((component) => component.prefixes);
  const nearest = new Set(groupStarts(names).flatMap((start) => nearestNames(start, prefixes, 1)));
  const hint = nearest.size > 0 ? ` Nearest declared prefixes: ${[...nearest].join(", ")}.` : "";
  return [
    {
      rule: "parameter-unowned",
      severity: "error",
      message: `No component owns ${nameList(names)}.${hint}`,
      fix:
        "Declare an owner by prefix (model.components: { name: [prefix] }), or leave the names out (model.ignored: " +
        "[prefix]).",
      settings: [],
    },
  ];
}

/** The distinct leading parts (at most three segments) of the names, a few of them: what a prefix could have been. */
function groupStarts(names: readonly string[]): readonly string[] {
  const starts = names.flatMap((name) => [1, 2, 3].map((count) => name.split(".").slice(0, count).join(".")));
  return [...new Set(starts)].slice(0, 12);
}
