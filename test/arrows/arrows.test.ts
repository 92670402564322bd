import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { fromArrows } from "../../scripts/arrows.mjs";

const root = fileURLToPath(new URL("../../", import.meta.url));
const PAGE = "docs/architecture.md";
const TABLE = "before\n<!-- arrows.json: node scripts/arrows.mjs -->\nold\n<!-- end of arrows.json -->\nafter\n";

/** Files of a small monorepo: `low`, and `high` that may import it. */
function files(more: Readonly<Record<string, unknown>> = {}): (path: string) => string | undefined {
  const all: Record<string, unknown> = {
    "tsconfig.json": { files: [], references: [] },
    "packages/low/package.json": { name: "@thaw/low" },
    "packages/low/tsconfig.json": { include: ["src"] },
    "packages/high/package.json": { name: "@thaw/high", dependencies: { "@thaw/low": "1", pino: "1" } },
    "packages/high/tsconfig.json": { include: ["src"], references: [{ path: "../old" }] },
    [PAGE]: TABLE,
    ...more,
  };
  return (path) => {
    const found = all[path];
    return found === undefined || typeof found === "string" ? found : JSON.stringify(found);
  };
}
const ARROWS = { low: { is: "low down", mayImport: [] }, high: { is: "high up", mayImport: ["low"] } };

describe("arrows.json", () => {
  it("makes the lint's rules, the references and the table", () => {
    const { files: made, problems } = fromArrows(ARROWS, files());
    expect(problems).toEqual([]);
    expect(JSON.parse(made.get("tsconfig.json")!)).toEqual({
      files: [],
      references: [{ path: "packages/low" }, { path: "packages/high" }],
    });
    expect(JSON.parse(made.get("packages/high/tsconfig.json")!)).toEqual({
      include: ["src"],
      references: [{ path: "../low" }],
    });
    expect(JSON.parse(made.get("packages/low/tsconfig.json")!)).toEqual({ include: ["src"] });
    const [low, high] = (
      JSON.parse(made.get(".oxlint-arrows.json")!) as {
        overrides: { rules: { "no-restricted-imports": [string, { patterns: { group: string[] }[] }] } }[];
      }
    ).overrides.map(({ rules }) => rules["no-restricted-imports"][1].patterns[0]!.group);
    expect([low, high]).toEqual([["@thaw/*"], ["@thaw/*", "!@thaw/low"]]);
    expect(made.get(PAGE)).toContain("| `@thaw/high` | high up | low |");
    expect(made.get(PAGE)).toMatch(/^before\n/);
    expect(made.get(PAGE)).not.toContain("old");
  });

  it.each([
    ["a circle", { ...ARROWS, low: { is: "", mayImport: ["high"] } }, {}, "a circle, low -> high -> low"],
    ["a package that is not there", { ...ARROWS, none: { is: "", mayImport: [] } }, {}, "packages/none does not exist"],
    [
      "an arrow to nowhere",
      { ...ARROWS, low: { is: "", mayImport: ["lower"] } },
      {},
      "low may import lower, which is not a package",
    ],
    [
      "a dependency without an arrow",
      { ...ARROWS, high: { is: "", mayImport: [] } },
      {},
      "packages/high/package.json: depends on @thaw/low, which arrows.json does not allow",
    ],
    [
      "an arrow without a dependency",
      ARROWS,
      { "packages/high/package.json": { dependencies: {} } },
      "packages/high/package.json: does not depend on @thaw/low, which arrows.json allows",
    ],
  ])("refuses %s", (_, arrows, more, message) => {
    expect(fromArrows(arrows, files(more)).problems.join("\n")).toContain(message);
  });

  it("says of this repository what its files say", () => {
    const read = (path: string): string | undefined => {
      try {
        return readFileSync(`${root}${path}`, "utf8");
      } catch {
        return undefined;
      }
    };
    const { files: made, problems } = fromArrows(JSON.parse(read("arrows.json")!), read);
    expect(problems).toEqual([]);
    for (const [path, text] of made) expect(read(path), path).toBe(text);
  });
});
