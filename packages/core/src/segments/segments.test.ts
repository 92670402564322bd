import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { innermost, isInside, outermost, outerOf, outersOf, readersOf } from "./segments.js";

const path = fc
  .array(fc.constantFrom("a", "ab", "layers", "1", "10"), { minLength: 1, maxLength: 4 })
  .map((parts) => parts.join("."));
const segments = fc.uniqueArray(path, { maxLength: 12 }).map((names) => names.map((name) => ({ name })));

describe("segments", () => {
  it.each([
    ["layers.1", "layers", true],
    ["layers.1", "layers.1", false],
    ["layers.10", "layers.1", false],
  ])("%s lies inside %s: %s", (name, outer, inside) => expect(isInside(name, outer)).toBe(inside));

  it("have all that lies around a name, the nearest first", () => {
    expect([...outersOf("decoder.layers.1")]).toEqual(["decoder.layers", "decoder"]);
    expect([...outersOf("decoder")]).toEqual([]);
  });

  it("have the longest of those around them as their outer one", () => {
    fc.assert(
      fc.property(path, segments, (name, list) => {
        const around = list.map((one) => one.name).filter((outer) => isInside(name, outer));
        const nearest = around.sort((left, right) => right.length - left.length)[0];
        expect(outerOf(name, new Set(list.map((one) => one.name)))).toBe(nearest);
      }),
    );
  });

  it("are innermost or have one inside, and outermost or have one around", () => {
    fc.assert(
      fc.property(segments, (list) => {
        const names = new Set(list.map(({ name }) => name));
        expect(outermost(list)).toEqual(list.filter(({ name }) => outerOf(name, names) === undefined));
        const outers = new Set(list.map(({ name }) => outerOf(name, names)));
        expect(innermost(list)).toEqual(list.filter(({ name }) => !outers.has(name)));
      }),
    );
  });

  it("know who reads them", () => {
    const segment = (name: string, ...after: string[]) => ({ name, after, reads: [], parameters: [] });
    expect([...readersOf([segment("a"), segment("b", "a"), segment("c", "a", "b")])]).toEqual([
      ["a", ["b", "c"]],
      ["b", ["c"]],
    ]);
  });
});
