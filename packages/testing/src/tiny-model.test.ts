import {
  elementCount,
  linear,
  rowOffsets,
  Tape,
  type LoadedBatch,
  type Model,
  type Scope,
  type Value,
} from "@thaw/core";
import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { withoutLeak } from "./leak-guard.js";
import { withTempFolder } from "./temp-folder.js";
import { tinyModel } from "./tiny-model.js";
import { TINY } from "./tiny-parameters.js";
import { tinySource } from "./tiny-source.js";

let tensorsBefore: number;
beforeAll(async () => {
  await tf.setBackend("cpu");
  tensorsBefore = tf.memory().numTensors;
});
afterAll(() => {
  expect(tf.memory().numTensors).toBe(tensorsBefore);
});

/** All parameters on one tape, trained; segments just run. */
async function openScope(model: Model): Promise<{
  readonly scope: Scope;
  readonly values: Map<string, Value>;
  readonly tape: Tape;
  readonly dispose: () => void;
}> {
  const tape = new Tape();
  const tensors: tf.Tensor[] = [];
  const values = new Map<string, Value>();
  for await (const { name, values: data } of model.load(model.parameters.map((parameter) => parameter.name))) {
    const tensor = tf.tensor(data, [...model.parameters.find((parameter) => parameter.name === name)!.shape]);
    tensors.push(tensor);
    values.set(name, tape.parameter(tensor, true));
  }
  const scope: Scope = {
    training: true,
    parameter: (name) => values.get(name)!,
    hasParameter: (name) => values.has(name),
    linear: (x, name) => linear(x, values.get(`${name}.weight`)!, values.get(`${name}.bias`)),
    segment: (_, inputs, run) => run(...inputs),
    constant: (tensor) => tape.constant(tensor),
    own: (tensor) => tape.own(tensor),
  };
  return {
    scope,
    values,
    tape,
    dispose: () => {
      tape.dispose();
      tf.dispose(tensors);
    },
  };
}

async function firstBatch(size = 3): Promise<LoadedBatch> {
  for await (const batch of tinySource({ textOnlyEvery: 3 }).batches({
    epoch: 0,
    seed: 1,
    microBatchSize: size,
    shuffle: false,
  })) {
    const items = await Promise.all(batch.media.map((item) => item.load()));
    const patches = items.flatMap(({ pixelValues }) => [...pixelValues!]);
    const offsets = rowOffsets(items.map(() => TINY.patches));
    return { ...batch, inputs: { pixelValues: { tensor: tf.tensor(patches, [offsets.at(-1)!, 4]), offsets } } };
  }
  throw new Error("no batch");
}

function supervised(batch: LoadedBatch): { rows: Int32Array; targets: Int32Array } {
  const rows = [...batch.labels.keys()].filter((at) => at % batch.tokenCount > 0 && batch.labels[at] !== -100);
  return { rows: Int32Array.from(rows, (at) => at - 1), targets: Int32Array.from(rows, (at) => batch.labels[at]!) };
}

describe("tinyModel", () => {
  it("gives every parameter but the dead ones a gradient, equal to finite differences", async () => {
    const model = tinyModel();
    await tf.ready();
    const batch = await firstBatch();
    const { rows, targets } = supervised(batch);
    const { scope, values, tape, dispose } = await openScope(model);
    const loss = model.forward(batch, scope).crossEntropy(rows, targets);
    const before = loss.tensor.dataSync()[0]!;
    expect(before / rows.length).toBeGreaterThan(1);
    const names = [...values.keys()];
    const gradients = tape.backward(
      loss,
      names.map((name) => values.get(name)!),
    );
    expect(names.filter((_, index) => gradients[index] === null)).toEqual(model.deadParameters);
    for (const name of [
      "vision_tower.patch_embedding.weight",
      "multi_modal_projector.linear_1.weight",
      "language_model.layers.1.self_attn.v_proj.weight",
      "lm_head.weight",
    ]) {
      const gradient = gradients[names.indexOf(name)]!.dataSync()[1]!;
      const shifted = async (by: number): Promise<number> => {
        const other = await openScope({ ...model, load: (wanted) => shift(model.load(wanted), name, by) });
        const value = model.forward(batch, other.scope).crossEntropy(rows, targets).tensor.dataSync()[0]!;
        other.dispose();
        return value;
      };
      expect(((await shifted(1e-2)) - (await shifted(-1e-2))) / 2e-2).toBeCloseTo(gradient, 2);
    }
    gradients.forEach((gradient) => gradient?.dispose());
    dispose();
    batch.inputs.pixelValues!.tensor.dispose();
  });

  it("has segments in data-flow order that list parameters which exist, all of them but the dead ones", () => {
    for (const model of [tinyModel(), tinyModel({ tied: true })]) {
      const seen = new Set<string>();
      for (const segment of model.segments) {
        for (const name of segment.after) expect(seen).toContain(name);
        seen.add(segment.name);
      }
      const listed = new Set(model.segments.flatMap((segment) => segment.parameters));
      expect(model.parameters.map(({ name }) => name).filter((name) => !listed.has(name))).toEqual(
        model.deadParameters,
      );
    }
  });

  it("depends on its seed alone, and is small", async () => {
    const read = async (seed: number): Promise<number[]> => {
      const all: number[] = [];
      for await (const { values } of tinyModel({ seed }).load(tinyModel().parameters.map(({ name }) => name)))
        all.push(...values);
      return all;
    };
    expect(await read(1)).toEqual(await read(1));
    expect(await read(1)).not.toEqual(await read(2));
    expect((await read(1)).length).toBeLessThan(600);
  });

  it("generates greedily, each row as it does alone", async () => {
    const { scope, dispose } = await openScope(tinyModel());
    const generate = (batch: LoadedBatch): Promise<number[][]> =>
      tinyModel().generate(batch, scope, { maxNewTokens: 4 });
    const both = await firstBatch(2);
    const first = await firstBatch(1);
    const ids = await generate(both);
    expect(ids[0]).toEqual((await generate(first))[0]);
    expect(ids.map((row) => row.length <= 4 && row.every((id) => id >= 0 && id < TINY.vocabularySize))).toEqual([
      true,
      true,
    ]);
    dispose();
    tf.dispose([both.inputs.pixelValues!.tensor, first.inputs.pixelValues!.tensor]);
  });

  it("saves a checkpoint that safetensors readers can read", async () => {
    await withTempFolder(async (folder) => {
      const model = tinyModel();
      await model.save(folder, (name) =>
        Promise.resolve(
          new Float32Array(elementCount(model.parameters.find((parameter) => parameter.name === name)!.shape)).fill(2),
        ),
      );
      const bytes = await readFile(join(folder, "model.safetensors"));
      const length = Number(bytes.readBigUInt64LE(0));
      const header = JSON.parse(bytes.subarray(8, 8 + length).toString()) as Record<
        string,
        { data_offsets: [number, number] }
      >;
      expect(length % 8).toBe(0);
      expect(Object.keys(header).length).toBe(model.parameters.length + 1);
      expect(bytes.readFloatLE(8 + length + header["lm_head.weight"]!.data_offsets[0])).toBe(2);
    });
  });
});

async function* shift(values: ReturnType<Model["load"]>, name: string, by: number): ReturnType<Model["load"]> {
  for await (const entry of values) {
    if (entry.name === name) entry.values[1]! += by;
    yield entry;
  }
}

describe("tinySource", () => {
  const options = { epoch: 0, seed: 5, microBatchSize: 3, shuffle: true };
  const ids = async (source: ReturnType<typeof tinySource>, more: object = {}): Promise<string[][]> => {
    const all: string[][] = [];
    for await (const batch of source.batches({ ...options, ...more })) all.push(batch.samples.map(({ id }) => id));
    return all;
  };
  it("shuffles by seed and epoch, ends with a short batch, and skips", async () => {
    const source = tinySource({ sampleCount: 8 });
    const all = await ids(source);
    expect(all.map((batch) => batch.length)).toEqual([3, 3, 2]);
    expect(await ids(source)).toEqual(all);
    expect(await ids(source, { epoch: 1 })).not.toEqual(all);
    expect(await ids(source, { skip: 1 })).toEqual(all.slice(1));
    expect(source.loadCount).toBe(0);
  });
  it("shares images and leaves some out as asked", async () => {
    const source = tinySource({ sampleCount: 6, imageCount: 2, textOnlyEvery: 3 });
    expect(source.textOnlyShare).toBeCloseTo(1 / 3);
    for await (const batch of source.batches({ ...options, microBatchSize: 6, shuffle: false })) {
      expect(new Set(batch.media.map((item) => item.contentKey)).size).toBe(2);
      expect(batch.media.length).toBe(4);
    }
  });
});

describe("withoutLeak", () => {
  it("passes results through, and names the place of a leak", async () => {
    expect(await withoutLeak(() => 5)).toBe(5);
    const kept: tf.Tensor[] = [];
    await expect(withoutLeak(() => void kept.push(tf.scalar(1)), "the test")).rejects.toMatchObject({
      code: "THAW_TESTING_TENSORS_LEAKED",
      message: expect.stringContaining("In the test."),
    });
    tf.dispose(kept);
  });
});
