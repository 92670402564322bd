import {
  append,
  nameList,
  nearestNames,
  ownersByPrefix,
  type ComponentDeclaration,
  type Finding,
  type ParameterInfo,
} from "@thaw/contracts";

/** Which component owns each parameter, and what stands in the way of a total, disjoint answer. */
export interface Ownership {
  /** Names that nobody owns, or two components do, are absent. */
  readonly owners: ReadonlyMap<string, string>;
  readonly findings: readonly Finding[];
}

/**
 * Gives every parameter its one owner: the component with the longest matching prefix, or the one that the parameter
 * names itself. Findings: `component-claimed-twice` for a tie, `parameter-unowned` with the nearest prefixes.
 */
export function resolveOwners(
  parameters: readonly ParameterInfo[],
  components: readonly ComponentDeclaration[],
): Ownership {
  const declared = new Set(components.map(({ name }) => name));
  const owners = new Map<string, string>();
  const unowned: string[] = [];
  const claimed = new Map<string, string[]>();
  for (const { name, component } of parameters) {
    if (component !== undefined && declared.has(component)) {
      owners.set(name, component);
      continue;
    }
    const claimants = component === undefined ? ownersByPrefix(name, components) : [];
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
