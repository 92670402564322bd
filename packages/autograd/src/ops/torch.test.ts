import * as tf from "@tensorflow/tfjs-core";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { SETUPS, useBackend } from "../../test/backends.js";
import type { Input } from "../../test/numeric.js";
import { evaluate, relativeError } from "../../test/numeric.js";
import type { Tape, Value } from "../index.js";
import * as ops from "../index.js";

type Stored = { readonly shape: number[]; readonly values: number[] };
type StoredCase = {
  inputs: Stored[];
  constants: Record<string, Stored>;
  direction: Stored;
  output: Stored;
  gradients: Stored[];
};

const stored = JSON.parse(
  readFileSync(new URL("../../test/fixtures/torch-ops.json", import.meta.url), "utf8"),
) as Record<string, StoredCase>;
const targets = Int32Array.of(1, 5, 0);

/** Each case of make_torch_ops.py, written with our ops. */
const RUNS: Record<string, (values: Value[], constant: (name: string) => tf.Tensor, tape: Tape) => Value> = {
  add: ([a, b]) => ops.add(a!, b!),
  sub: ([a, b]) => ops.sub(a!, b!),
  mul: ([a, b]) => ops.mul(a!, b!),
  div: ([a, b]) => ops.div(a!, b!),
  scale: ([a]) => ops.scale(a!, -1.5),
  addScalar: ([a]) => ops.addScalar(a!, 2),
  square: ([a]) => ops.square(a!),
  exp: ([a]) => ops.exp(a!),
  log: ([a]) => ops.log(a!),
  sqrt: ([a]) => ops.sqrt(a!),
  relu: ([a]) => ops.relu(a!),
  sigmoid: ([a]) => ops.sigmoid(a!),
  tanh: ([a]) => ops.tanh(a!),
  silu: ([a]) => ops.silu(a!),
  gelu: ([a]) => ops.gelu(a!),
  geluTanh: ([a]) => ops.geluTanh(a!),
  quickGelu: ([a]) => ops.quickGelu(a!),
  swiglu: ([a, b]) => ops.swiglu(a!, b!),
  geglu: ([a, b]) => ops.geglu(a!, b!),
  linear: ([x, w]) => ops.linear(x!, w!),
  linearBias: ([x, w, b]) => ops.linear(x!, w!, b!),
  matmul: ([a, b]) => ops.matmul(a!, b!),
  matmulTransposed: ([a, b]) => ops.matmul(a!, b!, { transposeA: true, transposeB: true }),
  rmsNorm: ([x, w]) => ops.rmsNorm(x!, w!, 1e-5),
  rmsNormUnitOffset: ([x, w]) => ops.rmsNorm(x!, w!, 1e-6, { unitOffset: true }),
  layerNorm: ([x, w, b]) => ops.layerNorm(x!, w!, b!, 1e-5),
  softmax: ([x]) => ops.softmax(x!),
  attention: ([q, k, v]) => ops.attention(q!, k!, v!, { scale: 0.4 }),
  attentionGrouped: ([q, k, v], constant) => ops.attention(q!, k!, v!, { scale: 0.4, mask: constant("mask") }),
  rotary: ([x], constant) => ops.rotary(x!, constant("cos"), constant("sin")),
  embedding: ([w]) => ops.embedding(w!, Int32Array.of(4, 1, 1, 0, 4, 1), [2, 3]),
  gatherRows: ([x]) => ops.gatherRows(x!, Int32Array.of(2, 0, 2)),
  scatterRows: ([b, v]) => ops.scatterRows(b!, Int32Array.of(3, 1), v!),
  reshape: ([x]) => ops.reshape(x!, [4, 3]),
  transpose: ([x]) => ops.transpose(x!, [2, 0, 1]),
  slice: ([x]) => ops.slice(x!, [0, 1, 1], [2, 2, 2]),
  concat: ([a, b]) => ops.concat([a!, b!], -1),
  pad: ([x]) =>
    ops.pad(x!, [
      [0, 1],
      [2, 0],
    ]),
  sum: ([x]) => ops.sum(x!, 1),
  mean: ([x]) => ops.mean(x!, -1, true),
  crossEntropy: ([h, w]) => ops.crossEntropy(h!, w!, targets),
  crossEntropySmoothed: ([h, w, b]) => ops.crossEntropy(h!, w!, targets, { bias: b!, labelSmoothing: 0.1 }),
  softmaxCrossEntropy: ([x]) => ops.softmaxCrossEntropy(x!, Int32Array.of(1, 4, 0), { labelSmoothing: 0.2 }),
  softmaxCrossEntropyLarge: ([x]) => ops.softmaxCrossEntropy(x!, Int32Array.of(1, 0)),
};

const input = ({ shape, values }: Stored): Input => ({ shape, values: Float32Array.from(values) });

for (const { backend, matmul, simd } of SETUPS) {
  describe(`PyTorch's numbers on ${backend} with ${matmul}${simd ? " and SIMD" : ""}`, () => {
    it.each(Object.keys(stored))("%s", async (name) => {
      await useBackend(backend, simd);
      const { inputs, constants, direction, output, gradients } = stored[name]!;
      const run = RUNS[name]!;
      const actual = evaluate(
        (values, tape) =>
          run([...values], (key) => tape.own(tf.tensor(constants[key]!.values, constants[key]!.shape)).tensor, tape),
        inputs.map(input),
        inputs.map(() => true),
        Float32Array.from(direction.values),
        matmul,
      );
      expect(relativeError(actual.output, output.values)).toBeLessThan(2e-6);
      gradients.forEach((gradient, index) =>
        expect(relativeError(actual.gradients[index]!, gradient.values)).toBeLessThan(5e-6),
      );
    });
  });
}
