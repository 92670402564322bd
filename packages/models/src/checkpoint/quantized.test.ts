import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openSafetensors, writeSafetensors } from "@thaw/safetensors";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { LLAVA_FOLDER } from "../../test-support/checkpoint.js";
import { openModel } from "../open/open-model.js";

// Written by transformers and bitsandbytes: see make_quantized.py.
const STORED = fileURLToPath(new URL("../../../../test/fixtures/quantized/", import.meta.url));
const FORMS = ["nf4", "int8"] as const;
const expected = JSON.parse(await readFile(`${STORED}expected.json`, "utf8")) as Record<
  (typeof FORMS)[number],
  { readonly matrices: Readonly<Record<string, readonly [number, number]>> }
>;

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "thaw-quantized-"));
});
afterEach(() => rm(folder, { recursive: true }));

/** Copies a stored folder with other bytes of some tensors; null takes one out. */
async function changed(form: string, change: (name: string, bytes: Uint8Array) => Uint8Array | null): Promise<string> {
  await cp(`${STORED}${form}`, folder, { recursive: true });
  const reader = await openSafetensors(folder);
  const kept = new Map<string, Uint8Array>();
  for (const name of reader.entries.keys()) {
    const bytes = change(name, await reader.readBytes(name));
    if (bytes !== null) kept.set(name, bytes);
  }
  const entries = [...kept].map(([name, bytes]) => {
    const entry = reader.entry(name);
    const isSame = bytes.length === entry.end - entry.begin;
    return { name, dtype: isSame ? entry.dtype : ("U8" as const), shape: isSame ? entry.shape : [bytes.length] };
  });
  await reader.close();
  await writeSafetensors(join(folder, "model.safetensors"), entries, (name) => kept.get(name)!);
  return folder;
}

describe.each(FORMS)("a checkpoint that bitsandbytes has quantised to %s", (form) => {
  it("has the model's names and shapes, and the numbers that bitsandbytes reads", async () => {
    const [model, plain] = [await openModel(STORED + form), await openModel(LLAVA_FOLDER)];
    const { matrices } = expected[form];
    expect(model.parameters.map(({ name, shape }) => [name, shape])).toEqual(
      plain.parameters.map(({ name, shape }) => [name, shape]),
    );
    const narrow = model.parameters.filter(({ quantized }) => quantized !== undefined);
    expect(Object.fromEntries(narrow.map(({ name, dtype }) => [name, dtype]))).toEqual(
      Object.fromEntries(Object.keys(matrices).map((name) => [name, form.toUpperCase()])),
    );
    for await (const { name, values, quantized } of model.load(Object.keys(matrices))) {
      expect(quantized, name).toBeDefined();
      const sums = [0, 0];
      values.forEach((value, index) => {
        sums[0]! += value;
        sums[1]! += value * (index + 1);
      });
      const [sum, weighted] = matrices[name]!;
      expect(sums[0]! - sum, name).toBeCloseTo(0, 4);
      expect((sums[1]! - weighted) / values.length, name).toBeCloseTo(0, 4);
    }
  });

  it("is saved as the numbers that it stands for, by a config that says no more than that", async () => {
    const model = await openModel(STORED + form);
    const values = new Map<string, Float32Array>();
    for await (const loaded of model.load(model.parameters.map(({ name }) => name)))
      values.set(loaded.name, loaded.values);
    await model.save(join(folder, "saved"), async (name) => values.get(name)!);
    const again = await openModel(join(folder, "saved"));
    expect(new Set(again.parameters.map(({ dtype }) => dtype))).toEqual(new Set(["F32"]));
    for await (const loaded of again.load([...values.keys()])) expect(loaded.values).toEqual(values.get(loaded.name));
    const config = async (path: string) => JSON.parse(await readFile(join(path, "config.json"), "utf8")) as object;
    const { quantization_config: _, ...rest } = (await config(STORED + form)) as Record<string, unknown>;
    expect(await config(join(folder, "saved"))).toEqual(rest);
  });

  it("starts a component from new values, which are not quantised", async () => {
    const model = await openModel(STORED + form, { initialize: ["multi_modal_projector"] });
    const fresh = model.parameters.filter(({ name }) => name.startsWith("multi_modal_projector"));
    expect(fresh.map(({ dtype, quantized }) => [dtype, quantized])).toEqual(fresh.map(() => ["F32", undefined]));
  });
});

const WEIGHT = "multi_modal_projector.linear_1.weight";
const text = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
describe("a quantised checkpoint that does not hold together is refused by the parameter's name", () => {
  it.each([
    ["nf4", "no codes", WEIGHT, null, "its codes are missing"],
    ["nf4", "codes of fewer numbers", WEIGHT, new Uint8Array(4), "it has 4 bytes of codes and 20 scales"],
    ["nf4", "fewer scales", `${WEIGHT}.absmax`, new Uint8Array(3), "it has 640 bytes of codes and 3 scales"],
    ["nf4", "no JSON", `${WEIGHT}.quant_state.bitsandbytes__nf4`, Uint8Array.of(1, 2), "its quant_state is not JSON"],
    ["nf4", "no shape", `${WEIGHT}.quant_state.bitsandbytes__nf4`, text({ blocksize: 64 }), "its shape is undefined"],
    [
      "nf4",
      "odd blocks",
      `${WEIGHT}.quant_state.bitsandbytes__nf4`,
      text({ blocksize: 7, shape: [2, 7] }),
      "its blocksize is 7",
    ],
    [
      "nf4",
      "no offset",
      `${WEIGHT}.quant_state.bitsandbytes__nf4`,
      text({ blocksize: 64, shape: [32, 40], nested_blocksize: 256 }),
      "its nested_blocksize is 256, its offset missing",
    ],
    [
      "int8",
      "tiles",
      "multi_modal_projector.linear_1.weight_format",
      Uint8Array.of(1),
      "its numbers are not stored row by row",
    ],
  ] as const)("%s: %s", async (form, _, tensor, bytes, problem) => {
    const path = await changed(form, (name, before) => (name === tensor ? bytes : before));
    const read = async (): Promise<void> => {
      const model = await openModel(path);
      for await (const { values } of model.load([WEIGHT])) expect(values).toBeDefined();
    };
    await expect(read()).rejects.toMatchObject({
      code: "THAW_CHECKPOINT_QUANTIZED",
      message: expect.stringContaining(problem),
      details: { name: WEIGHT },
    });
  });

  it("a config that asks for quantising weights that are not", async () => {
    await cp(LLAVA_FOLDER, folder, { recursive: true, filter: (path) => !path.includes("golden.") });
    const config = JSON.parse(await readFile(join(folder, "config.json"), "utf8")) as object;
    const quantization = { quantization_config: { quant_method: "bitsandbytes", load_in_4bit: true } };
    await writeFile(join(folder, "config.json"), JSON.stringify({ ...config, ...quantization }));
    await expect(openModel(folder)).rejects.toMatchObject({
      code: "THAW_CHECKPOINT_CONFIG",
      message: expect.stringContaining("training.frozen_precision"),
    });
  });
});
