import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { toCamelCase } from "@thaw/core";
import { openSource, type MixedSource, type SourceOptions } from "@thaw/data";
import { openProcessor } from "@thaw/models";
import { parse } from "yaml";
import { codeBlocks, root } from "./blocks.js";

const blocks = codeBlocks(await readFile(join(root, "docs/data.md"), "utf8"));
const examples = blocks.filter(({ language }) => language === "yaml");
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "thaw-docs-data-"));
  for (const name of ["formats", "images"])
    await cp(join(root, "packages/data/fixtures", name), join(folder, name), { recursive: true });
  for (const { code, tags } of blocks) {
    const name = tags.find((tag) => tag.startsWith("file="))?.slice("file=".length);
    if (name !== undefined) await writeFile(join(folder, name), code);
  }
});
afterAll(() => rm(folder, { recursive: true }));

const camel = (value: unknown): unknown =>
  typeof value !== "object" || value === null || Array.isArray(value)
    ? value
    : Object.fromEntries(Object.entries(value).map(([key, inner]) => [toCamelCase(key), inner]));

it("docs/data.md shows every type of a file or folder, and every set of it opens", async () => {
  const processor = await openProcessor(join(root, "test/fixtures/goldens/llava"));
  for (const { code, line } of examples) {
    const { data } = parse(code) as { readonly data: { readonly train: unknown; readonly evaluation?: unknown } };
    for (const [role, given] of Object.entries({ train: data.train, evaluation: data.evaluation })) {
      if (given === undefined) continue;
      const options = (Array.isArray(given) ? given.map(camel) : camel(given)) as SourceOptions | MixedSource[];
      const source = await openSource(options, {
        processor,
        baseFolder: folder,
        role: role as "train" | "evaluation",
        workers: 0,
      });
      expect(source.sampleCount, `line ${line}`).toBeGreaterThan(0);
      await source.close();
    }
  }
});
