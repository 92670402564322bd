import "@tensorflow/tfjs-backend-cpu";
import { memory, setBackend } from "@tensorflow/tfjs-core";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { knownModelTypes } from "@thaw/models";
import { rulesPages } from "../../scripts/docs/rules-pages.mjs";
import { codeBlocks, compileBlocks, root } from "./blocks.js";
import { configBlocks, planConfigText } from "./config-blocks.js";

const read = (path: string): string => readFileSync(join(root, path), "utf8");
const pages = ["docs/freezing.md", ...readdirSync(join(root, "docs/rules")).map((name) => `docs/rules/${name}`)];

describe("docs/rules", () => {
  it("is what the rules say", () => {
    const generated = rulesPages();
    expect(
      readdirSync(join(root, "docs/rules"))
        .map((name) => `docs/rules/${name}`)
        .sort(),
    ).toEqual([...(generated.keys() as Iterable<string>)].sort((left, right) => (left < right ? -1 : 1)));
    for (const [page, content] of generated) expect(read(page), `${page}: run node scripts/docs.mjs`).toBe(content);
  });
});

describe.each(pages)("%s", (page) => {
  const blocks = codeBlocks(read(page));
  const configs = configBlocks(blocks);

  it("has only blocks that a test runs", () => {
    const others = blocks.filter(
      (block) =>
        !configs.some((config) => config.block === block) && !(block.language === "ts" && block.tags.includes("run")),
    );
    expect(others.map(({ line }) => `line ${line}`)).toEqual([]);
  });

  it.each(configs.map(({ block, expected }) => [block.line, block, expected] as const))(
    "says what the checker finds in the config of line %i",
    async (_, block, expected) => {
      const { findings, planned } = await planConfigText(block.code);
      const found = [
        ...new Set(
          findings.map(({ rule, severity }) => (expected.rules.includes(rule) ? rule : `${rule} ${severity}`)),
        ),
      ];
      expect(found.sort(), JSON.stringify(findings, null, 1)).toEqual([...expected.rules].sort());
      if (expected.trains === undefined) return;
      const trained = new Set(
        planned!.plan.phases[0]!.entries.filter(({ trainable }) => trainable).map(({ component }) => component),
      );
      expect([...trained].sort()).toEqual([...expected.trains].sort());
    },
  );
});

describe("docs/freezing.md", () => {
  const blocks = codeBlocks(read("docs/freezing.md")).filter(
    ({ language, tags }) => language === "ts" && tags.includes("run"),
  );
  let compiled: Awaited<ReturnType<typeof compileBlocks>> | undefined;
  beforeAll(async () => {
    await setBackend("cpu");
    compiled = await compileBlocks("freezing", blocks);
  });
  afterAll(() => compiled?.remove());

  it.each(blocks.map(({ line }, index) => [line, index] as const))("runs the block of line %i", async (_, index) => {
    const before = memory().numTensors;
    await import(/* @vite-ignore */ compiled!.urls[index]!);
    expect(memory().numTensors).toBe(before);
  });

  it("names every model type whose owners are known, and every rule of the freeze policy", async () => {
    const text = read("docs/freezing.md") + read("docs/families.md");
    for (const modelType of knownModelTypes()) expect(text).toContain(`\`${modelType}\``);
    const { FREEZE_RULES } = await import("@thaw/plugin-freeze-policy");
    for (const { id } of FREEZE_RULES) expect(text).toContain(`rules/${id}.md`);
  });
});
