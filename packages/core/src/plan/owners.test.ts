import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isSegmentPrefix } from "@thaw/contracts";
import { resolveOwners } from "./owners.js";

const parameter = (name: string, component?: string) => ({
  name,
  shape: [1],
  dtype: "F32",
  ...(component === undefined ? {} : { component }),
});
const component = (name: string, ...prefixes: string[]) => ({ name, prefixes });

describe("resolveOwners", () => {
  it("lets the longest prefix of whole segments win", () => {
    const { owners, findings } = resolveOwners(
      [
        "model.visual.blocks.1.weight",
        "model.visual.blocks.10.weight",
        "model.visual.merger.weight",
        "model.layers.0.weight",
        "model.visualizer.weight",
      ].map((name) => parameter(name)),
      [
        component("vision_tower", "model.visual"),
        component("multi_modal_projector", "model.visual.merger", "model.visual.blocks.1"),
        component("language_model", "model"),
      ],
    );
    expect(findings).toEqual([]);
    expect(Object.fromEntries(owners)).toEqual({
      "model.visual.blocks.1.weight": "multi_modal_projector",
      "model.visual.blocks.10.weight": "vision_tower",
      "model.visual.merger.weight": "multi_modal_projector",
      "model.layers.0.weight": "language_model",
      "model.visualizer.weight": "language_model",
    });
  });

  it("takes a parameter's own component, if it is declared", () => {
    const { owners, findings } = resolveOwners(
      [parameter("adapter.a", "tower"), parameter("adapter.b", "other")],
      [component("tower", "tower")],
    );
    expect([...owners]).toEqual([["adapter.a", "tower"]]);
    expect(findings.map(({ rule }) => rule)).toEqual(["parameter-unowned"]);
  });

  it("reports a tie and an unowned parameter with the nearest prefixes", () => {
    const { owners, findings } = resolveOwners(
      ["tower.weight", "vison_tower.weight"].map((name) => parameter(name)),
      [component("a", "tower"), component("b", "tower"), component("vision_tower", "vision_tower")],
    );
    expect(owners.size).toBe(0);
    expect(findings.map(({ rule, severity }) => [rule, severity])).toEqual([
      ["component-claimed-twice", "error"],
      ["parameter-unowned", "error"],
    ]);
    expect(findings[0]!.message).toContain("a and b both own tower.weight");
    expect(findings[1]!.message).toContain("Nearest declared prefixes: vision_tower");
  });

  it("is total and disjoint for random trees: each parameter is owned once or reported", () => {
    const segment = fc.constantFrom("a", "b", "c", "a1", "10", "1");
    const path = fc.array(segment, { minLength: 1, maxLength: 4 }).map((parts) => parts.join("."));
    fc.assert(
      fc.property(
        fc.uniqueArray(path, { maxLength: 20 }),
        fc.array(fc.array(path, { minLength: 1, maxLength: 4 }), { maxLength: 4 }),
        (names, prefixLists) => {
          const components = prefixLists.map((prefixes, index) => component(`c${index}`, ...prefixes));
          const { owners, findings } = resolveOwners(
            names.map((name) => parameter(name)),
            components,
          );
          for (const name of names) {
            const lengths = components.map(({ prefixes }) =>
              Math.max(-1, ...prefixes.filter((prefix) => isSegmentPrefix(prefix, name)).map(({ length }) => length)),
            );
            const longest = Math.max(-1, ...lengths);
            const winners = components.filter((_, index) => longest >= 0 && lengths[index] === longest);
            expect(owners.get(name)).toBe(winners.length === 1 ? winners[0]!.name : undefined);
          }
          expect(findings.length > 0).toBe(owners.size < names.length);
        },
      ),
    );
  });
});
