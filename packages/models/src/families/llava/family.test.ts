import * as tf from "@tensorflow/tfjs-core";
import type { LoadedBatch, Model } from "@thaw/contracts";
import { openSafetensors, type SafetensorsReader } from "@thaw/safetensors";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import {
  generated,
  GOLDEN_FOLDERS,
  goldenBatch,
  goldenFacts,
  largestDifference,
  prompts,
  supervised,
  useBackend,
  type GoldenName,
} from "../../../test-support/golden.js";
import { batchOf, loadWeights, testScope, type TestScope } from "../../../test-support/scope.js";
import { openModel } from "../../open/open-model.js";

const cases = (Object.keys(GOLDEN_FOLDERS) as GoldenName[]).flatMap((name) =>
  (["cpu", "wasm"] as const).map((backend) => ({ name, backend })),
);

describe.each(cases)("$name on $backend agrees with transformers", ({ name, backend }) => {
  const facts = goldenFacts(GOLDEN_FOLDERS[name]);
  let golden: SafetensorsReader;
  let model: Model;
  let weights: Map<string, tf.Tensor>;
  let batch: LoadedBatch;
  let tensorsBefore: number;

  beforeAll(async () => {
    await useBackend(backend);
    golden = await openSafetensors(`${GOLDEN_FOLDERS[name]}/golden.safetensors`);
    model = await openModel(GOLDEN_FOLDERS[name]);
  });
  afterAll(() => golden.close());
  beforeEach(async () => {
    tensorsBefore = tf.memory().numTensors;
    weights = await loadWeights(model);
    batch = await goldenBatch(golden);
  });
  afterEach(() => {
    tf.dispose([batch.inputs["pixelValues"]!.tensor, ...weights.values()]);
    expect(tf.memory().numTensors).toBe(tensorsBefore);
  });
  const scopeOf = (trains: (name: string) => boolean = () => false): TestScope =>
    testScope(weights, trains, {}, backend === "wasm" ? "plain2d" : "flags");

  it("in image features and logits", async () => {
    const scope = scopeOf();
    let features: Float32Array | undefined;
    const segment: TestScope["segment"] = (segmentName, inputs, run) => {
      const value = scope.segment(segmentName, inputs, run);
      if (segmentName === "multi_modal_projector") features = value.tensor.dataSync() as Float32Array;
      return value;
    };
    const logits = model.forward(batch, { ...scope, segment }).logits(null);
    expect(logits.shape).toEqual([batch.batchSize * batch.tokenCount, 336]);
    expect(largestDifference(features!, await golden.readFloat32("out.image_features"))).toBeLessThan(1e-4);
    const isReal = (index: number): boolean => batch.attentionMask[Math.floor(index / 336)] === 1;
    expect(largestDifference(logits.tensor.dataSync(), await golden.readFloat32("out.logits"), isReal)).toBeLessThan(
      1e-4,
    );
    scope.tape.dispose();
  });

  it("in the loss and in every gradient", async () => {
    const scope = scopeOf(() => true);
    const { rows, targets } = supervised(batch);
    const loss = model.forward(batch, scope).crossEntropy(rows, targets);
    expect(Math.abs(loss.tensor.dataSync()[0]! / rows.length - facts.loss)).toBeLessThan(1e-4);
    const names = model.parameters
      .map((parameter) => parameter.name)
      .filter((parameter) => !model.deadParameters.includes(parameter));
    const gradients = scope.tape.backward(
      loss,
      names.map((parameter) => scope.parameter(parameter)),
    );
    for (const [index, parameter] of names.entries()) {
      const wanted = await golden.readFloat32(`grad.${parameter}`);
      const got = Float32Array.from(gradients[index]!.dataSync(), (value) => value / rows.length);
      const largest = wanted.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      expect(largestDifference(got, wanted), parameter).toBeLessThan(1e-3 * largest + 1e-6);
    }
    scope.tape.dispose();
    tf.dispose(gradients as tf.Tensor[]);
  });

  it("in what it generates, padded on either side", async () => {
    const ids = prompts(batch);
    const width = Math.max(...ids.map((row) => row.length));
    for (const side of [1, -1]) {
      const scope = scopeOf();
      const padded = batchOf(
        ids,
        ids.map((row) => side * (width - row.length)),
        batch.inputs,
      );
      expect(await model.generate(padded, scope, { maxNewTokens: 12 })).toEqual(generated[name]);
      scope.tape.dispose();
    }
  });

  it("in the parameters that the loss does not reach", () => {
    expect([...model.deadParameters].sort()).toEqual(facts.without_gradient);
  });
});
