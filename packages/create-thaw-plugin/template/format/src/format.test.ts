import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { SampleSet } from "@thaw/core";
import { withTempFolder } from "@thaw/testing";
import { expect, it } from "vitest";
import { format } from "./format.js";

async function opened(text: string, run: (set: SampleSet, folder: string) => Promise<void>): Promise<void> {
  await withTempFolder(async (folder) => {
    await writeFile(join(folder, "pairs.tsv"), text);
    const context = { baseFolder: folder, role: "train", captionPrompt: "What is it?" } as const;
    await run(await format.open({ path: "pairs.tsv", separator: "\t" }, context), folder);
  });
}

it("reads a picture and its caption from each line that is not empty", () =>
  opened("a.png\ta cat\n\nb.png\ta dog\n", async (set, folder) => {
    expect(set.count).toBe(2);
    const sample = await set.read(1);
    expect(sample).toMatchObject({ reference: "a dog", origin: `${join(folder, "pairs.tsv")}:3` });
    expect(sample.media[0]!.source).toEqual({ kind: "file", path: join(folder, "b.png") });
  }));

it("names file and line of a sample that is wrong", () =>
  opened("a.png\n", async (set, folder) => {
    await expect(set.read(0)).rejects.toThrow(`${join(folder, "pairs.tsv")}:1`);
  }));
