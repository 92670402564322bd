import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { resolveOwners } from "../../packages/core/src/plan/owners.js";

/** Few words, some of which begin alike, so that prefixes nest and nearly match often. */
const word = fc.constantFrom("a", "ab", "b", "layers", "layers1", "1", "10");
const path = fc.array(word, { minLength: 1, maxLength: 4 }).map((words) => words.join("."));
const tree = fc.uniqueArray(path, { minLength: 1, maxLength: 30 });
/** Every prefix belongs to one component. */
const components = fc.uniqueArray(path, { minLength: 1, maxLength: 8 }).chain((prefixes) =>
  fc
    .array(fc.constantFrom("vision_tower", "multi_modal_projector", "language_model"), {
      minLength: prefixes.length,
      maxLength: prefixes.length,
    })
    .map((names) =>
      [...new Set(names)].map((name) => ({ name, prefixes: prefixes.filter((_, index) => names[index] === name) })),
    ),
);

/**
 * The rule in other words: of the prefixes that are the name or stop at one of its dots, the one with the most
 * segments.
 */
function reference(
  name: string,
  declared: readonly { readonly name: string; readonly prefixes: readonly string[] }[],
): string | undefined {
  const segments = name.split(".");
  for (let count = segments.length; count > 0; count--) {
    const prefix = segments.slice(0, count).join(".");
    const owner = declared.find(({ prefixes }) => prefixes.includes(prefix));
    if (owner !== undefined) return owner.name;
  }
  return undefined;
}

describe("ownership of random trees", () => {
  it("is total and disjoint: each parameter has exactly one owner, or is reported", () => {
    fc.assert(
      fc.property(tree, components, (names, declared) => {
        const parameters = names.map((name) => ({ name, shape: [1], dtype: "F32" }));
        const { owners, findings } = resolveOwners(parameters, declared);
        const owned = names.filter((name) => reference(name, declared) !== undefined);
        expect([...owners.keys()].sort()).toEqual(owned.sort());
        for (const name of names) expect(owners.get(name)).toBe(reference(name, declared));
        expect(findings.map(({ rule }) => rule)).toEqual(owned.length === names.length ? [] : ["parameter-unowned"]);
      }),
      { numRuns: 500 },
    );
  });

  it("reports a prefix that two components claim, for exactly the parameters under it", () => {
    fc.assert(
      fc.property(tree, path, (names, prefix) => {
        const declared = [
          { name: "left", prefixes: [prefix] },
          { name: "right", prefixes: [prefix] },
        ];
        const { owners, findings } = resolveOwners(
          names.map((name) => ({ name, shape: [1], dtype: "F32" })),
          declared,
        );
        const under = names.filter((name) => `${name}.`.startsWith(`${prefix}.`));
        expect(owners.size).toBe(0);
        expect(findings.some(({ rule }) => rule === "component-claimed-twice")).toBe(under.length > 0);
      }),
      { numRuns: 300 },
    );
  });
});
