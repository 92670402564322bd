import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-cpu";
import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import type { LoadedBatch, Model } from "@thaw/contracts";
import { openSafetensors, type SafetensorsReader } from "@thaw/safetensors";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadWeights, testScope } from "../test-support/scope.js";
import { openModel } from "./open-model.js";
import { PROJECTOR_SEGMENT } from "./mlp-projector.js";

const folder = fileURLToPath(new URL("../../../test/fixtures/goldens/llava", import.meta.url));
const facts = JSON.parse(readFileSync(`${folder}/golden.json`, "utf8")) as { without_gradient: string[]; loss: number; owner: Record<string, string> };

let golden: SafetensorsReader;
let model: Model;

beforeAll(async () => {
  setWasmPaths(`${dirname(createRequire(import.meta.url).resolve("@tensorflow/tfjs-backend-wasm"))}/`);
  golden = await openSafetensors(`${folder}/golden.safetensors`);
  model = await openModel(folder);
});
afterAll(() => golden.close());

async function goldenBatch(): Promise<LoadedBatch> {
  const [batchSize, tokenCount] = golden.entry("in.input_ids").shape as [number, number];
  return {
    tokenIds: await golden.readInt32("in.input_ids"),
    attentionMask: await golden.readInt32("in.attention_mask"),
    labels: await golden.readInt32("in.labels"),
    batchSize,
    tokenCount,
    inputs: { pixelValues: tf.tensor(await golden.readFloat32("in.pixel_values"), [...golden.entry("in.pixel_values").shape]) },
    segmentOutputs: {},
    samples: [{ id: "0" }, { id: "1" }],
  };
}

/** Rows whose next token is supervised, and those tokens. */
function supervised({ labels, batchSize, tokenCount }: LoadedBatch): { rows: Int32Array; targets: Int32Array } {
  const rows: number[] = [];
  for (let row = 0; row < batchSize; row++) {
    for (let column = 0; column + 1 < tokenCount; column++) if (labels[row * tokenCount + column + 1] !== -100) rows.push(row * tokenCount + column);
  }
  return { rows: Int32Array.from(rows), targets: Int32Array.from(rows, (at) => labels[at + 1]!) };
}

function largestDifference(left: ArrayLike<number>, right: ArrayLike<number>, isCompared: (index: number) => boolean = () => true): number {
  expect(left.length).toBe(right.length);
  let largest = 0;
  for (let index = 0; index < left.length; index++) if (isCompared(index)) largest = Math.max(largest, Math.abs(left[index]! - right[index]!));
  return largest;
}

describe.each(["cpu", "wasm"] as const)("LLaVA-1.5 on %s agrees with transformers", (backend) => {
  beforeAll(async () => {
    await tf.setBackend(backend);
    await tf.ready();
  });
  const matmul = backend === "wasm" ? "plain2d" : "flags";

  it("in image features and logits", async () => {
    const before = tf.memory().numTensors;
    const weights = await loadWeights(model);
    const batch = await goldenBatch();
    const scope = testScope(weights, () => false, {}, matmul);
    let features: Float32Array | undefined;
    const spying = { ...scope, segment: (name: string, inputs: never, run: never) => {
      const value = scope.segment(name, inputs, run);
      if (name === PROJECTOR_SEGMENT) features = value.tensor.dataSync() as Float32Array;
      return value;
    } };
    const output = model.forward(batch, spying);
    const logits = output.logits(null);
    expect(logits.shape).toEqual([140, 336]);
    expect(largestDifference(features!, await golden.readFloat32("out.image_features"))).toBeLessThan(1e-4);
    const isReal = (index: number): boolean => batch.attentionMask[Math.floor(index / 336)] === 1;
    expect(largestDifference(logits.tensor.dataSync(), await golden.readFloat32("out.logits"), isReal)).toBeLessThan(1e-4);
    scope.tape.dispose();
    tf.dispose([batch.inputs, ...weights.values()]);
    expect(tf.memory().numTensors).toBe(before);
  });

  it("in the loss and in every gradient", async () => {
    const before = tf.memory().numTensors;
    const weights = await loadWeights(model);
    const batch = await goldenBatch();
    const scope = testScope(weights, () => true, {}, matmul);
    const { rows, targets } = supervised(batch);
    const loss = model.forward(batch, scope).crossEntropy(rows, targets);
    const mean = loss.tensor.dataSync()[0]! / rows.length;
    expect(Math.abs(mean - facts.loss)).toBeLessThan(1e-4);
    const names = model.parameters.map(({ name }) => name).filter((name) => !model.deadParameters.includes(name));
    const gradients = scope.tape.backward(loss, names.map((name) => scope.parameter(name)));
    for (const [index, name] of names.entries()) {
      const wanted = await golden.readFloat32(`grad.${name}`);
      const got = Float32Array.from(gradients[index]!.dataSync(), (value) => value / rows.length);
      const largest = wanted.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      expect(largestDifference(got, wanted), name).toBeLessThan(1e-3 * largest + 1e-6);
    }
    expect(golden.entries.has(`grad.${model.deadParameters[0]!}`)).toBe(false);
    scope.tape.dispose();
    tf.dispose([batch.inputs, gradients, ...weights.values()]);
    expect(tf.memory().numTensors).toBe(before);
  });
});

it("knows which parameters the loss does not reach", () => {
  expect([...model.deadParameters].sort()).toEqual(facts.without_gradient);
});
