import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import type { UpdateContext } from "@thaw/core";
import { beforeAll, expect, test } from "vitest";
import { keptScalars, orthogonalise, updateScale } from "./muon.js";
import { pretrainingOptimizer } from "./pretraining-optimizer.js";
import { mulberry32 } from "@thaw/data";
import { normal } from "./random.js";

beforeAll(async () => {
  await tf.setBackend("cpu");
});

const options = { matrixRateRatio: 2, momentum: 0.95, beta1: 0.9, beta2: 0.98, epsilon: 1e-8, averageDecay: 0.999 };
const shapes: Record<string, number[]> = {
  "tower.layers.0.a.weight": [8, 16],
  "tower.layers.1.a.weight": [16, 8],
  "tower.norm.weight": [5],
  "embed.weight": [4, 3],
};
function tensors(seed: number): Map<string, tf.Tensor> {
  const random = mulberry32(seed);
  return new Map(
    Object.entries(shapes).map(([name, shape]) => [
      name,
      tf.tensor(
        Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => normal(random)),
        shape,
      ),
    ]),
  );
}
function context(step: number): UpdateContext {
  return {
    step,
    updatesOf: () => step,
    rates: (name) => ({ learningRate: 0.01, weightDecay: name.includes("norm") ? 0 : 0.1 }),
  };
}
function update(
  optimizer: ReturnType<typeof pretrainingOptimizer>,
  parameters: Map<string, tf.Tensor>,
  gradients: Map<string, tf.Tensor>,
  step: number,
): Map<string, tf.Tensor> {
  return new Map(
    Object.entries(tf.tidy(() => Object.fromEntries(optimizer.update(parameters, gradients, context(step))))),
  );
}

test("the Newton-Schulz iteration brings singular values near 1", () => {
  const scalars = keptScalars();
  const grams = tf.tidy(() => {
    const [wide] = [tensors(3).get("tower.layers.0.a.weight") as tf.Tensor2D];
    const result = orthogonalise(tf.reshape(wide, [1, 8, 16]) as tf.Tensor3D, scalars);
    return (tf.squeeze(tf.matMul(result, result, false, true), [0]) as tf.Tensor2D).arraySync();
  });
  scalars.dispose();
  for (const [row, values] of grams.entries())
    for (const [column, value] of values.entries())
      expect(Math.abs(value - (row === column ? 1 : 0))).toBeLessThan(0.6);
});

test("vectors and embeddings follow AdamW, matrices move by an orthogonal step", () => {
  const before = tf.memory().numTensors;
  const optimizer = pretrainingOptimizer(options);
  const [start, gradients] = [tensors(1), tensors(2)];
  const first = update(optimizer, start, gradients, 0);
  const second = update(optimizer, first, gradients, 1);
  for (const [name, decay] of [
    ["tower.norm.weight", 0],
    ["embed.weight", 0.1],
  ] as const) {
    const [w0, w1, w2, g] = [start, first, second, gradients].map((map) => map.get(name)!.dataSync()) as [
      Float32Array,
      Float32Array,
      Float32Array,
      Float32Array,
    ];
    for (let index = 0; index < w0.length; index += 1) {
      // With an unchanging gradient both bias-corrected moments are exact, so each step is the sign.
      expect(w1[index]).toBeCloseTo(w0[index]! * (1 - 0.01 * decay) - 0.01 * Math.sign(g[index]!), 5);
      expect(w2[index]).toBeCloseTo(w1[index]! * (1 - 0.01 * decay) - 0.01 * Math.sign(g[index]!), 5);
    }
  }
  for (const name of ["tower.layers.0.a.weight", "tower.layers.1.a.weight"]) {
    const step = tf.tidy(
      () => tf.norm(tf.sub(first.get(name)!, tf.mul(start.get(name)!, 1 - 0.02 * 0.1))).dataSync()[0]!,
    );
    expect(step / (0.02 * updateScale(8, 16))).toBeGreaterThan(Math.sqrt(8) * 0.7);
    expect(step / (0.02 * updateScale(8, 16))).toBeLessThan(Math.sqrt(8) * 1.25);
  }
  const averages = optimizer.averages();
  expect([...averages.keys()].sort()).toEqual(Object.keys(shapes).sort());
  for (const map of [start, gradients, first, second, averages]) tf.dispose([...map.values()]);
  optimizer.dispose();
  expect(tf.memory().numTensors).toBe(before);
});

test("the average starts at the first weights", () => {
  const optimizer = pretrainingOptimizer(options);
  const [start, gradients] = [tensors(1), tensors(2)];
  const first = update(optimizer, start, gradients, 0);
  const averages = optimizer.averages();
  const [w, a] = [first.get("embed.weight")!.dataSync(), averages.get("embed.weight")!.dataSync()];
  for (let index = 0; index < w.length; index += 1) expect(a[index]).toBeCloseTo(w[index]!, 6);
  for (const map of [start, gradients, first, averages]) tf.dispose([...map.values()]);
  optimizer.dispose();
});

test("goes on after its slots were restored as if it had not stopped", () => {
  const [start, gradients] = [tensors(1), tensors(2)];
  const optimizer = pretrainingOptimizer(options);
  const first = update(optimizer, start, gradients, 0);
  const resumed = pretrainingOptimizer(options);
  resumed.restore(new Map([...optimizer.slots()].map(([name, tensor]) => [name, tf.clone(tensor)])));
  const [expected, actual] = [update(optimizer, first, gradients, 1), update(resumed, first, gradients, 1)];
  for (const [name, tensor] of expected) expect(actual.get(name)!.dataSync()).toEqual(tensor.dataSync());
  for (const map of [start, gradients, first, expected, actual]) tf.dispose([...map.values()]);
  optimizer.dispose();
  resumed.dispose();
});

test("refuses another set of parameters in mid-run", () => {
  const [start, gradients] = [tensors(1), tensors(2)];
  const optimizer = pretrainingOptimizer(options);
  const first = update(optimizer, start, gradients, 0);
  gradients.get("embed.weight")!.dispose();
  gradients.delete("embed.weight");
  expect(() => update(optimizer, first, gradients, 1)).toThrow(/"embed.weight" no longer has a gradient/);
  for (const map of [start, gradients, first]) tf.dispose([...map.values()]);
  optimizer.dispose();
});
