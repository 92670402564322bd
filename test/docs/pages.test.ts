import "@tensorflow/tfjs-backend-cpu";
import { memory, setBackend } from "@tensorflow/tfjs-core";
import { existsSync, readFileSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hooksPage, hookSource } from "../../scripts/docs/hooks-page.mjs";
import { withIncludes } from "../../scripts/docs/includes.mjs";
import { codeBlocks, compileBlocks, root } from "./blocks.js";
import { configBlocks, planConfigText } from "./config-blocks.js";

const read = (path: string): Promise<string> => readFile(join(root, path), "utf8");

describe("docs/hooks.md", () => {
  it("is what the doc blocks of hooks.ts say", async () => {
    expect(await read("docs/hooks.md"), "run node scripts/docs.mjs").toBe(
      hooksPage(hookSource((path: string) => readFileSync(join(root, path), "utf8"))),
    );
  });
  it("cannot be made for a hook without doc block", () => {
    expect(() => hooksPage("function makeHooks() { return { a: new SyncHook<[]>([]) } }")).toThrow(
      "The hook a has no doc block",
    );
  });
});

describe("all pages", () => {
  it("show files as they are", async () => {
    for (const name of (await readdir(join(root, "docs"))).filter((page) => page.endsWith(".md"))) {
      const page = await read(`docs/${name}`);
      const files = new Map(
        await Promise.all(
          codeBlocks(page).flatMap(({ from }) =>
            from === undefined ? [] : [read(from).then((text) => [from, text] as const)],
          ),
        ),
      );
      expect(page, `docs/${name}: run node scripts/docs.mjs`).toBe(withIncludes(page, (path) => files.get(path)!));
    }
  });
  it("link to pages and files that exist", async () => {
    for (const name of (await readdir(join(root, "docs"))).filter((page) => page.endsWith(".md"))) {
      const prose = (await read(`docs/${name}`)).replace(/^```[\s\S]*?^```$/gm, "").replace(/`[^`]*`/g, "code");
      const targets = [...prose.matchAll(/\]\(([^)#\s]+)[^)]*\)/g)]
        .map((match) => match[1]!)
        .filter((target) => !/^[a-z]+:/.test(target));
      for (const target of targets)
        expect(existsSync(join(root, "docs", dirname(name), target)), `docs/${name} links to ${target}`).toBe(true);
    }
  });
});

describe.each([
  "architecture.md",
  "add-a-command.md",
  "add-a-dataset-format.md",
  "add-a-family.md",
  "add-a-metric.md",
  "add-a-tracker.md",
  "add-an-optimizer.md",
  "stages.md",
  "metrics.md",
  "trackers.md",
  "backends.md",
  "feature-cache.md",
  "write-a-plugin.md",
  "hooks.md",
  "embed.md",
  "freeze-your-model.md",
  "freeze-your-model.zh.md",
  "from-llama-factory.md",
  "from-ms-swift.md",
])("docs/%s", async (name) => {
  const blocks = codeBlocks(await read(`docs/${name}`));
  const runnable = blocks.filter((block) => block.language === "ts" && block.tags.includes("run"));
  const configs = configBlocks(blocks);
  let compiled: Awaited<ReturnType<typeof compileBlocks>> | undefined;
  beforeAll(async () => {
    await setBackend("cpu");
    if (runnable.length > 0) compiled = await compileBlocks(name.replace(".md", ""), runnable);
  });
  afterAll(() => compiled?.remove());

  it("has only blocks that are run or shown from a tested file", () => {
    expect(
      blocks
        .filter(
          (block) =>
            !runnable.includes(block) && block.from === undefined && !configs.some((config) => config.block === block),
        )
        .map((block) => `line ${block.line}`),
    ).toEqual([]);
  });
  it.each(configs.map(({ block, expected }) => [block.line, block, expected] as const))(
    "says what comes of the config of line %i",
    async (_, block, expected) => {
      const { findings, planned } = await planConfigText(block.code);
      expect(findings.map(({ rule }) => rule).toSorted()).toEqual(expected.rules.toSorted());
      const trained = new Set(
        planned?.plan.phases[0]!.entries.filter(({ trainable }) => trainable).map(({ component }) => component),
      );
      if (expected.trains !== undefined) expect([...trained].toSorted()).toEqual(expected.trains.toSorted());
    },
  );
  it.each(runnable.map((block, index) => [block.line, index] as const))(
    "runs the block of line %i",
    async (_, index) => {
      const before = memory().numTensors;
      await import(/* @vite-ignore */ compiled!.urls[index]!);
      expect(memory().numTensors).toBe(before);
    },
  );
});
