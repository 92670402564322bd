import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  editDistance,
  isSegmentPrefix,
  longestPrefix,
  nameList,
  nearestNames,
  ownerByPrefix,
  ownersByPrefix,
  toCamelCase,
  toSnakeCase,
} from "./words.js";
import { cutFinding, cutWords } from "./text.js";

const words = fc.string({ unit: fc.constantFrom("a", "b", "c"), maxLength: 8 });
/** Few words, some of which begin alike, so that prefixes nest and nearly match often. */
const path = fc
  .array(fc.constantFrom("a", "ab", "b", "layers", "1", "10"), { minLength: 1, maxLength: 4 })
  .map((segments) => segments.join("."));

describe("edit distance", () => {
  it.each([
    ["", "abc", 3],
    ["kitten", "sitting", 3],
    ["freeze_vison_tower", "freeze_vision_tower", 1],
  ])("from %j to %j is %i", (left, right, distance) => expect(editDistance(left, right)).toBe(distance));

  it("is a metric", () => {
    fc.assert(
      fc.property(words, words, words, (a, b, c) => {
        expect(editDistance(a, b)).toBe(editDistance(b, a));
        expect(editDistance(a, b) === 0).toBe(a === b);
        expect(editDistance(a, c)).toBeLessThanOrEqual(editDistance(a, b) + editDistance(b, c));
      }),
    );
  });
});

describe("nearest names", () => {
  it("are near, best first, at most as many as asked for, in whatever order they were given", () => {
    fc.assert(
      fc.property(words, fc.uniqueArray(words), fc.integer({ min: 1, max: 4 }), (name, names, limit) => {
        const nearest = nearestNames(name, names, limit);
        const distances = nearest.map((one) => editDistance(name, one));
        expect(distances).toEqual([...distances].sort((left, right) => left - right));
        expect(distances.every((distance) => distance <= name.length / 2)).toBe(true);
        expect(nearest.length).toBeLessThanOrEqual(limit);
        expect(nearestNames(name, names.toReversed(), limit)).toEqual(nearest);
      }),
    );
  });
});

describe("lists", () => {
  it.each([
    [["a"], "a"],
    [["a", "b"], "a, b"],
    [["a", "b", "c"], "a, b and 1 more"],
  ])("says %j as %j", (names, text) => expect(nameList(names, 2)).toBe(text));
});

describe("spelling", () => {
  it.each([
    ["visionTower", "vision_tower"],
    ["VisionTower", "vision_tower"],
    ["vision-tower", "vision_tower"],
    ["vision_tower", "vision_tower"],
    ["freezeLLM", "freeze_llm"],
    ["linear1Bias", "linear1_bias"],
    ["_private", "_private"],
  ])("writes %s as %s in snake case", (name, snake) => expect(toSnakeCase(name)).toBe(snake));

  it.each([
    ["train_mm_proj_only", "trainMmProjOnly"],
    ["freezeLlm", "freezeLlm"],
    ["linear_1", "linear1"],
    ["_private", "_private"],
  ])("writes %s as %s in camel case", (name, camel) => expect(toCamelCase(name)).toBe(camel));

  it("comes back to what it was, and stays as it is the second time", () => {
    const snake = fc.array(fc.stringMatching(/^[a-z]{2,5}$/), { minLength: 1 }).map((parts) => parts.join("_"));
    fc.assert(
      fc.property(snake, (name) => {
        expect(toSnakeCase(toCamelCase(name))).toBe(name);
        expect(toSnakeCase(name)).toBe(name);
        expect(toCamelCase(toCamelCase(name))).toBe(toCamelCase(name));
      }),
    );
  });
});

describe("prefixes", () => {
  it.each([
    ["layers.1", "layers.1", true],
    ["layers.1", "layers.1.weight", true],
    ["layers.1", "layers.10", false],
    ["layers.1.weight", "layers.1", false],
    ["", "layers", true],
  ])("%j leads %j: %s", (prefix, name, leads) => expect(isSegmentPrefix(prefix, name)).toBe(leads));

  it("are whole segments, and the longest has the most of them", () => {
    fc.assert(
      fc.property(path, fc.array(path), (name, prefixes) => {
        const segments = name.split(".");
        const runs = segments.map((_, index) => segments.slice(0, segments.length - index).join("."));
        expect(longestPrefix(name, prefixes)).toBe(runs.find((run) => prefixes.includes(run)));
      }),
    );
  });

  it("give a name to the one component that has its longest prefix, and to nobody where two have it", () => {
    fc.assert(
      fc.property(path, fc.array(fc.array(path, { maxLength: 3 }), { maxLength: 4 }), (name, lists) => {
        const components = lists.map((prefixes, index) => ({ name: `c${index}`, prefixes }));
        const longest = longestPrefix(name, lists.flat());
        const owners = components.filter(({ prefixes }) => prefixes.some((prefix) => prefix === longest));
        expect(ownersByPrefix(name, components)).toEqual(owners.map((owner) => owner.name));
        expect(ownerByPrefix(name, components)).toBe(owners.length === 1 ? owners[0]!.name : undefined);
        expect(ownerByPrefix(name, components.toReversed())).toBe(ownerByPrefix(name, components));
      }),
    );
  });
});

describe("messages", () => {
  it("are of a length that a person reads, whatever they quote, and begin and end as they did", () => {
    const piece = fc.constantFrom("a", "word ", "\n", "x".repeat(1200), "two words ".repeat(300));
    fc.assert(
      fc.property(fc.array(piece), (pieces) => {
        const message = `First${pieces.join("")}last.`;
        for (const line of cutWords(message).split("\n")) expect(line.length).toBeLessThan(2600);
        const told = cutFinding({ rule: "r", severity: "error", message, fix: message, settings: [] });
        for (const text of [told.message, told.fix]) {
          expect(text.length).toBeLessThan(2600);
          expect(text).toMatch(/^First[^]*last\.$/);
        }
      }),
    );
  });
});
