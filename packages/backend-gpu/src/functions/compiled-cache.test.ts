import { mkdirSync, mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { describeCards, openCompiledCache } from "./compiled-cache.js";

let folder = "";
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "thaw-compiled-"))));
afterEach(() => rmSync(folder, { recursive: true }));

describe("compiled functions of earlier runs", () => {
  it("are known by their keys, for one card, driver and version", () => {
    const first = openCompiledCache(folder, ["H100", "580"])!;
    expect(first.has("layer#8")).toBe(false);
    first.add("layer#8");
    first.add("layer#8");
    expect(first.has("layer#8")).toBe(true);
    const second = openCompiledCache(folder, ["H100", "580"])!;
    expect([second.has("layer#8"), second.has("layer#9"), second.flags]).toEqual([true, false, first.flags]);
    expect(first.flags).toContain(`--tf_xla_persistent_cache_directory=${folder}`);
    expect(openCompiledCache(folder, ["H200", "580"])!.has("layer#8")).toBe(false);
    expect(readdirSync(folder)).toHaveLength(2);
  });

  it("are begun anew where they take too much, and left out where nothing can be written", () => {
    const cache = openCompiledCache(folder, ["H100"])!;
    cache.add("layer");
    const large = join(folder, readdirSync(folder)[0]!, "large.pb");
    writeFileSync(large, "");
    truncateSync(large, 2 ** 30);
    expect(openCompiledCache(folder, ["H100"])!.has("layer")).toBe(false);
    writeFileSync(join(folder, "file"), "");
    expect(openCompiledCache(join(folder, "file"), ["H100"])).toBeUndefined();
  });
});

describe("cards", () => {
  it("are what the driver says, or unknown", () => {
    expect(describeCards(folder)).toBeNull();
    mkdirSync(join(folder, "gpus/0000:01:00.0"), { recursive: true });
    writeFileSync(join(folder, "gpus/0000:01:00.0/information"), "Model: \t\t NVIDIA H100 80GB HBM3\nIRQ:   \t\t 41\n");
    writeFileSync(join(folder, "version"), "NVRM version: NVIDIA UNIX 580.159.04  \nGCC version: gcc\n");
    expect(describeCards(folder)).toEqual(["NVRM version: NVIDIA UNIX 580.159.04  ", "NVIDIA H100 80GB HBM3"]);
  });
});
