import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openSafetensors, writeSafetensors } from "@thaw/safetensors";
import { afterAll, beforeAll, expect, it } from "vitest";
import { openModel } from "../open/open-model.js";
import { partOf, unfuseExperts } from "./fused-experts.js";

const golden = fileURLToPath(new URL("../../../../test/fixtures/goldens/qwen3_5_moe", import.meta.url));
const MLP = "model.language_model.layers.1.mlp.experts";
const EXPERTS = [0, 1, 2, 3];
let folder: string;
let values: Map<string, Float32Array>;
let shapes: Map<string, readonly number[]>;

/** All experts of a layer in one tensor, the gate before up. */
const fused = (parts: readonly string[]): Float32Array =>
  Float32Array.from(
    EXPERTS.flatMap((expert) => parts.flatMap((part) => [...values.get(`${MLP}.${expert}.${part}.weight`)!])),
  );

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "thaw-fused-"));
  await cp(golden, join(folder, "fused"), { recursive: true, filter: (path) => !path.endsWith(".safetensors") });
  const reader = await openSafetensors(golden + "/model.safetensors");
  values = new Map();
  shapes = new Map();
  for (const [name, { shape }] of reader.entries) {
    values.set(name, await reader.readFloat32(name));
    shapes.set(name, shape);
  }
  await reader.close();
  const [width, hidden] = shapes.get(`${MLP}.0.gate_proj.weight`) as [number, number];
  const stored = new Map(values);
  for (const name of values.keys()) if (name.startsWith(`${MLP}.`)) stored.delete(name);
  stored.set(`${MLP}.gate_up_proj`, fused(["gate_proj", "up_proj"]));
  stored.set(`${MLP}.down_proj`, fused(["down_proj"]));
  shapes.set(`${MLP}.gate_up_proj`, [EXPERTS.length, 2 * width, hidden]);
  shapes.set(`${MLP}.down_proj`, [EXPERTS.length, hidden, width]);
  await writeSafetensors(
    join(folder, "fused/model.safetensors"),
    [...stored.keys()].map((name) => ({ name, shape: shapes.get(name)!, dtype: "F32" as const })),
    async (name) => stored.get(name)!,
  );
});
afterAll(() => rm(folder, { recursive: true }));

it("takes fused experts apart, and puts them together again where they are saved", async () => {
  const model = await openModel(join(folder, "fused"));
  const names = model.parameters.map(({ name }) => name);
  expect(new Set(names)).toEqual(new Set(values.keys()));
  for await (const { name, values: read } of model.load(names)) expect(read, name).toEqual(values.get(name));
  await model.save(join(folder, "saved"), async (name) => values.get(name)!.map((value) => 2 * value));
  const saved = await openSafetensors(join(folder, "saved"));
  try {
    expect(saved.entry(`${MLP}.gate_up_proj`).shape).toEqual(shapes.get(`${MLP}.gate_up_proj`));
    expect(await saved.readFloat32(`${MLP}.gate_up_proj`)).toEqual(
      fused(["gate_proj", "up_proj"]).map((value) => 2 * value),
    );
    expect(await saved.readFloat32(`${MLP}.down_proj`)).toEqual(fused(["down_proj"]).map((value) => 2 * value));
    expect([...saved.entries.keys()].filter((name) => name.startsWith(`${MLP}.0.`))).toEqual([]);
    expect(saved.entries.has("model.language_model.layers.0.mlp.experts.0.up_proj.weight")).toBe(true);
  } finally {
    await saved.close();
  }
});

it("reads experts that are stored transposed, also where one matrix alone would fit either way", () => {
  const entry = (name: string, shape: readonly number[]) => [name, { name, shape, dtype: "F32", file: "a" }] as never;
  const stored = (gateUp: readonly number[], down: readonly number[]) =>
    unfuseExperts(new Map([entry("a.experts.gate_up_proj", gateUp), entry("a.experts.down_proj", down)]));
  // Three inputs, a width of two: the gate of the second expert is the first two of four columns.
  const { entries, parts } = stored([2, 3, 4], [2, 2, 3]);
  expect(entries.get("a.experts.1.gate_proj.weight")!.shape).toEqual([2, 3]);
  expect(entries.get("a.experts.1.down_proj.weight")!.shape).toEqual([3, 2]);
  const whole = Float32Array.from({ length: 24 }, (_, at) => at);
  expect([...partOf(whole, parts.get("a.experts.1.gate_proj.weight")!)]).toEqual([12, 16, 20, 13, 17, 21]);
  expect([...partOf(whole, parts.get("a.experts.1.up_proj.weight")!)]).toEqual([14, 18, 22, 15, 19, 23]);
  expect([...partOf(whole, parts.get("a.experts.0.down_proj.weight")!)]).toEqual([0, 3, 1, 4, 2, 5]);
  // A width of half the inputs: plain and transposed tensors have the same first shape.
  expect(stored([2, 4, 4], [2, 4, 2]).parts.get("a.experts.0.up_proj.weight")!.begin).toBe(8);
  expect(stored([2, 4, 4], [2, 2, 4]).parts.get("a.experts.0.up_proj.weight")!.begin).toBe(2);
});
