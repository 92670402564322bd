import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { hasSafetensors, INDEX_FILE, openSafetensors, SINGLE_FILE, writeSafetensors } from "./index.js";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "thaw-safetensors-"));
});
afterEach(() => rm(folder, { recursive: true }));

const shard = (file: string, names: readonly string[]): Promise<unknown> =>
  writeSafetensors(
    join(folder, file),
    names.map((name) => ({ name, dtype: "F32", shape: [1] })),
    (name) => Float32Array.of(name.length),
  );
const index = (weightMap: unknown): Promise<void> =>
  writeFile(join(folder, INDEX_FILE), JSON.stringify({ metadata: { total_size: 8 }, weight_map: weightMap }));

describe("a folder", () => {
  it("opens its shards as one", async () => {
    await shard("one.safetensors", ["a", "bb"]);
    await shard("two.safetensors", ["ccc"]);
    await index({ a: "one.safetensors", bb: "one.safetensors", ccc: "two.safetensors" });
    expect(await hasSafetensors(folder)).toBe(true);
    const reader = await openSafetensors(folder);
    expect([...reader.entries.keys()]).toEqual(["a", "bb", "ccc"]);
    expect([...(await reader.readFloat32("ccc"))]).toEqual([3]);
    expect(reader.entry("ccc").file).toBe(join(folder, "two.safetensors"));
    await reader.close();
  });

  it("prefers the single file, as transformers does", async () => {
    await shard(SINGLE_FILE, ["whole"]);
    await index({ a: "missing.safetensors" });
    const reader = await openSafetensors(folder);
    expect([...reader.entries.keys()]).toEqual(["whole"]);
    await reader.close();
  });

  it("without weights is an error", async () => {
    expect(await hasSafetensors(folder)).toBe(false);
    await expect(openSafetensors(folder)).rejects.toMatchObject({
      code: "THAW_SAFETENSORS_NOT_FOUND",
      details: { folder },
    });
  });

  it.each([
    [["pytorch_model-00001-of-00002.bin", "training_args.bin"], ["pytorch_model-00001-of-00002.bin"], "a pickle"],
    [["consolidated.00.pth"], ["consolidated.00.pth"], "a pickle"],
    [["model-q4.gguf", "tokenizer.model"], ["model-q4.gguf"], "of a form that Thaw does not read"],
    [["tokenizer.model", "optimizer.pt"], [], "Point to a folder"],
  ])("with %j instead says what is there", async (files, others, says) => {
    for (const name of files) await writeFile(join(folder, name), "x");
    await expect(openSafetensors(folder)).rejects.toMatchObject({
      details: { others },
      message: expect.stringContaining(says) as string,
    });
  });
});

describe("an index is refused", () => {
  it.each([
    ["where it is not JSON", "{", "index-not-json"],
    ["where it is null", "null", "index-without-map"],
    ["without a map", "{}", "index-without-map"],
    ["with a list for the map", '{"weight_map":[]}', "index-without-map"],
    ["with a shard that is not text", '{"weight_map":{"a":3}}', "bad-shard-name"],
    ["with a shard in another folder", '{"weight_map":{"a":"../a.safetensors"}}', "bad-shard-name"],
    ["with a shard named ..", '{"weight_map":{"a":".."}}', "bad-shard-name"],
    ["with a shard without a name", '{"weight_map":{"a":""}}', "bad-shard-name"],
  ])("%s", async (_, text, reason) => {
    await writeFile(join(folder, INDEX_FILE), text);
    await expect(openSafetensors(folder)).rejects.toMatchObject({
      code: "THAW_SAFETENSORS_MALFORMED",
      details: { reason },
    });
  });

  it("when a shard is missing", async () => {
    await shard("one.safetensors", ["a"]);
    await index({ a: "one.safetensors", b: "two.safetensors" });
    await expect(openSafetensors(folder)).rejects.toMatchObject({
      code: "THAW_SAFETENSORS_SHARD_MISSING",
      details: { shard: "two.safetensors" },
    });
  });

  it("when a shard does not hold what it should", async () => {
    await shard("one.safetensors", ["a"]);
    await index({ a: "one.safetensors", b: "one.safetensors" });
    await expect(openSafetensors(folder)).rejects.toMatchObject({
      code: "THAW_SAFETENSORS_NOT_IN_SHARD",
      details: { name: "b" },
    });
  });

  it("when two shards hold the same tensor", async () => {
    await shard("one.safetensors", ["a", "b"]);
    await shard("two.safetensors", ["b"]);
    await index({ a: "one.safetensors", b: "two.safetensors" });
    await expect(openSafetensors(folder)).rejects.toMatchObject({
      code: "THAW_SAFETENSORS_TWO_SHARDS",
      details: { name: "b" },
    });
  });

  it("when a shard is malformed", async () => {
    await writeFile(join(folder, "one.safetensors"), "");
    await index({ a: "one.safetensors" });
    await expect(openSafetensors(folder)).rejects.toMatchObject({ code: "THAW_SAFETENSORS_MALFORMED" });
  });
});
