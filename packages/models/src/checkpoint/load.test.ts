import { cp, mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openSafetensors } from "@thaw/safetensors";
import { expect, it } from "vitest";
import { openModel } from "../open/open-model.js";

const golden = fileURLToPath(new URL("../../../../test/fixtures/goldens/gemma4", import.meta.url));

it("takes infinite bounds for the largest numbers that a checkpoint holds", async () => {
  const folder = await mkdtemp(join(tmpdir(), "thaw-load-"));
  try {
    await cp(golden, folder, { recursive: true });
    const reader = await openSafetensors(join(folder, "model.safetensors"));
    const ending = (end: string) => [...reader.entries.values()].find(({ name }) => name.endsWith(end))!;
    const [low, high] = [ending("input_min"), ending("output_max")];
    await reader.close();
    const file = await open(join(folder, "model.safetensors"), "r+");
    await file.write(Buffer.from(Float32Array.of(-Infinity).buffer), 0, 4, low.begin);
    await file.write(Buffer.from(Float32Array.of(Infinity).buffer), 0, 4, high.begin);
    await file.close();
    const model = await openModel(folder);
    const read = new Map<string, number>();
    for await (const { name, values } of model.load([low.name, high.name])) read.set(name, values[0]!);
    expect(read.get(high.name)).toBe(3.3895313892515355e38);
    expect(read.get(low.name)).toBe(-3.3895313892515355e38);
  } finally {
    await rm(folder, { recursive: true });
  }
});
