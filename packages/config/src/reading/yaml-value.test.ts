import { expect, it } from "vitest";
import { LineCounter } from "yaml";
import { overrideLayer } from "./overrides.js";
import { yamlLayer } from "./read-yaml.js";
import { readYaml } from "./yaml-value.js";

const problem = (text: string): string | undefined => readYaml(text, new LineCounter()).problems[0]?.message;

it("reads what needs no help", () => {
  expect(readYaml("a: &x [1]\nb: *x\nc: { <<: { d: 2 } }\n", new LineCounter()).value).toEqual({
    a: [1],
    b: [1],
    c: { d: 2 },
  });
  expect(readYaml("", new LineCounter())).toMatchObject({ problems: [], value: null });
});

it("says of a pattern without quotes what it is, and where", () => {
  const { layer, findings } = yamlLayer("freeze:\n  components:\n    x: { match: *.bias }\n", {
    file: "/a/thaw.yaml",
    origin: "explicit",
    label: "thaw.yaml",
  });
  expect(findings).toMatchObject([
    {
      message:
        "The file cannot be read: *.bias is an alias in YAML, and no anchor &.bias stands before it " +
        "(thaw.yaml:3:17).",
      fix: 'Put quotes around it where it is meant as a text: "*.bias".',
    },
  ]);
  expect(layer.value).toBeUndefined();
  expect(problem("[*.bias]")).toContain("*.bias is an alias");
  expect(() => overrideLayer(["freeze.match=*.bias"], ".")).toThrow(/\*\.bias is an alias in YAML/);
});

it("ends soon and without a raw error for texts that hold themselves, unfold without end or are deep", () => {
  const bomb = Array.from({ length: 9 }, (_, level) =>
    level === 0 ? "a0: &a0 [x, x]" : `a${level}: &a${level} [${`*a${level - 1}, `.repeat(9)}]`,
  );
  expect(problem("a: &a [*a]")).toContain("hold themselves");
  expect(problem(bomb.join("\n"))).toContain("Excessive alias count");
  expect(problem("<<: 1")).toBeTypeOf("string");
  for (const deep of ["[".repeat(50_000), `${"[".repeat(150)}${"]".repeat(150)}`, '{"a":'.repeat(20_000)])
    expect(problem(deep)).toBeTypeOf("string");
  expect(() => overrideLayer(["a=&a [*a]"], ".")).toThrow(/hold themselves/);
});
