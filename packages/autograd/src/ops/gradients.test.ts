import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";
import { SETUPS, useBackend } from "../../test/backends.js";
import type { Case, Input } from "../../test/numeric.js";
import { checkGradients, randomInput } from "../../test/numeric.js";
import * as ops from "../index.js";

const normal = (...shape: number[]): Input =>
  randomInput(
    shape,
    shape.reduce((sum, size) => sum * 7 + size, 5),
  );
const positive = (...shape: number[]): Input => ({
  shape,
  values: normal(...shape).values.map((value) => Math.abs(value) + 0.5),
});
const awayFromZero = (...shape: number[]): Input => ({
  shape,
  values: normal(...shape).values.map((value) => value + Math.sign(value) * 0.2),
});
const bound = (value: number, tape: ops.Tape): ops.Value => tape.own(tf.scalar(value));
/** Values that no step of differences brings over one of the bounds -0.4 and 0.7. */
const offBounds = (...shape: number[]): Input => ({
  shape,
  values: normal(...shape).values.map(
    (value) => value + (Math.min(Math.abs(value + 0.4), Math.abs(value - 0.7)) < 0.05 ? 0.1 : 0),
  ),
});
const raw = (input: Input, tape: ops.Tape): tf.Tensor => tape.own(tf.tensor(input.values, [...input.shape])).tensor;
const mask: Input = {
  shape: [2, 1, 3, 5],
  values: Float32Array.from({ length: 30 }, (_, index) => (index % 5 === 4 && index > 14 ? -1e9 : 0)),
};

const STRETCHES = [
  { name: "first", width: 2 },
  { name: "second", width: 1 },
  { name: "third", width: 4 },
] as const;

const CASES: Record<string, readonly [Case, ...Input[]]> = {
  "add with broadcasting": [([a, b]) => ops.add(a!, b!), normal(2, 3, 4), normal(3, 1)],
  "add of a value to itself": [([a]) => ops.add(a!, a!), normal(3, 4)],
  "sub with broadcasting": [([a, b]) => ops.sub(a!, b!), normal(3, 1), normal(2, 3, 4)],
  "mul with broadcasting": [([a, b]) => ops.mul(a!, b!), normal(2, 3, 4), normal(4)],
  "div with broadcasting": [([a, b]) => ops.div(a!, b!), normal(3, 4), positive(3, 1)],
  scale: [([a]) => ops.scale(a!, -1.5), normal(3, 4)],
  addScalar: [([a]) => ops.addScalar(a!, 2), normal(3, 4)],
  square: [([a]) => ops.square(a!), normal(3, 4)],
  exp: [([a]) => ops.exp(a!), normal(3, 4)],
  log: [([a]) => ops.log(a!), positive(3, 4)],
  sqrt: [([a]) => ops.sqrt(a!), positive(3, 4)],
  relu: [([a]) => ops.relu(a!), awayFromZero(3, 4)],
  sigmoid: [([a]) => ops.sigmoid(a!), normal(3, 4)],
  tanh: [([a]) => ops.tanh(a!), normal(3, 4)],
  clamp: [([a], tape) => ops.clamp(a!, bound(-0.4, tape), bound(0.7, tape)), offBounds(3, 4)],
  "clamp to a bound alone": [([a], tape) => ops.clamp(a!, bound(-Infinity, tape), bound(0.7, tape)), offBounds(3, 4)],
  softCap: [([a]) => ops.softCap(a!, 1.5), normal(3, 4)],
  "causalConvolution over samples, one shorter than the kernel": [
    ([x, w]) => ops.causalConvolution(x!, w!, { offsets: Int32Array.of(0, 5, 7, 7, 11) }),
    normal(11, 3),
    normal(3, 4),
  ],
  "causalConvolution behind initial rows": [
    ([x, w, initial]) => ops.causalConvolution(x!, w!, { offsets: Int32Array.of(0, 4, 5), initial: initial! }),
    normal(5, 3),
    normal(3, 3),
    normal(4, 3),
  ],
  "gatedDelta over samples": [
    ([q, k, v, decay, beta]) =>
      ops.gatedDelta(q!, k!, v!, ops.scale(ops.square(decay!), -0.3), ops.sigmoid(beta!), {
        headCount: 2,
        offsets: Int32Array.of(0, 5, 7),
      }).output,
    normal(7, 4),
    randomInput([7, 4], 21),
    randomInput([7, 6], 22),
    randomInput([7, 2], 23),
    randomInput([7, 2], 24),
  ],
  "gatedDelta behind a state": [
    ([q, k, v, decay, initial]) => {
      const { output, state } = ops.gatedDelta(q!, k!, v!, ops.scale(ops.square(decay!), -0.3), ops.sigmoid(decay!), {
        headCount: 1,
        offsets: Int32Array.of(0, 3, 4),
        initial: initial!,
      });
      return ops.add(ops.sum(ops.square(output)), ops.sum(ops.square(state)));
    },
    normal(4, 2),
    randomInput([4, 2], 31),
    randomInput([4, 3], 32),
    randomInput([4, 1], 33),
    randomInput([2, 2, 3], 34),
  ],
  silu: [([a]) => ops.silu(a!), normal(3, 4)],
  gelu: [([a]) => ops.gelu(a!), normal(3, 4)],
  geluTanh: [([a]) => ops.geluTanh(a!), normal(3, 4)],
  quickGelu: [([a]) => ops.quickGelu(a!), normal(3, 4)],
  swiglu: [([a, b]) => ops.swiglu(a!, b!), normal(3, 4), randomInput([3, 4], 9)],
  geglu: [([a, b]) => ops.geglu(a!, b!), normal(3, 4), randomInput([3, 4], 9)],
  "linear without bias": [([x, w]) => ops.linear(x!, w!), normal(2, 3, 4), normal(5, 4)],
  "linear with bias": [([x, w, b]) => ops.linear(x!, w!, b!), normal(3, 4), normal(5, 4), normal(5)],
  matmul: [([a, b]) => ops.matmul(a!, b!), normal(3, 4), normal(4, 5)],
  "matmul, batched": [([a, b]) => ops.matmul(a!, b!), normal(2, 3, 4), normal(2, 4, 5)],
  "matmul, first transposed": [
    ([a, b]) => ops.matmul(a!, b!, { transposeA: true }),
    normal(2, 2, 4, 3),
    normal(2, 2, 4, 5),
  ],
  "matmul, second transposed": [([a, b]) => ops.matmul(a!, b!, { transposeB: true }), normal(2, 3, 4), normal(2, 5, 4)],
  "matmul, both transposed": [
    ([a, b]) => ops.matmul(a!, b!, { transposeA: true, transposeB: true }),
    normal(4, 3),
    normal(5, 4),
  ],
  rmsNorm: [([x, w]) => ops.rmsNorm(x!, w!, 1e-5), normal(2, 3, 6), positive(6)],
  "rmsNorm with unit offset": [([x, w]) => ops.rmsNorm(x!, w!, 1e-5, { unitOffset: true }), normal(2, 3, 6), normal(6)],
  layerNorm: [([x, w, b]) => ops.layerNorm(x!, w!, b!, 1e-5), normal(2, 3, 6), positive(6), normal(6)],
  softmax: [([x]) => ops.softmax(x!), normal(3, 5)],
  attention: [
    ([q, k, v]) => ops.attention(q!, k!, v!, { scale: 0.5 }),
    normal(2, 2, 3, 4),
    normal(2, 2, 5, 4),
    randomInput([2, 2, 5, 4], 8),
  ],
  "attention, grouped heads and mask": [
    ([q, k, v], tape) => ops.attention(q!, k!, v!, { scale: 0.5, mask: raw(mask, tape) }),
    normal(2, 4, 3, 4),
    normal(2, 2, 5, 4),
    randomInput([2, 2, 5, 4], 8),
  ],
  rotary: [
    ([x], tape) => ops.rotary(x!, raw(normal(3, 4), tape), raw(randomInput([3, 4], 3), tape)),
    normal(2, 2, 3, 4),
  ],
  "rotary with tables per sample": [
    ([x], tape) => ops.rotary(x!, raw(normal(2, 1, 3, 4), tape), raw(randomInput([2, 1, 3, 4], 3), tape)),
    normal(2, 2, 3, 4),
  ],
  "embedding with repeated ids": [([w]) => ops.embedding(w!, Int32Array.of(4, 1, 1, 0, 4, 1), [2, 3]), normal(6, 3)],
  gatherRows: [([x]) => ops.gatherRows(x!, Int32Array.of(2, 0, 2)), normal(4, 3)],
  scatterRows: [([b, v]) => ops.scatterRows(b!, Int32Array.of(3, 1), v!), normal(5, 3), normal(2, 3)],
  insertRows: [
    ([v], tape) => ops.insertRows([raw(normal(4, 3), tape), raw(normal(1, 3), tape)], v!, Int32Array.of(0, 6, 4, 0, 5)),
    normal(2, 3),
  ],
  reshape: [([x]) => ops.reshape(x!, [4, -1]), normal(2, 2, 3)],
  transpose: [([x]) => ops.transpose(x!, [2, 0, 1]), normal(2, 4, 3)],
  slice: [([x]) => ops.slice(x!, [0, 1, 1], [2, 2, -1]), normal(2, 4, 3)],
  "joinColumns of three stretches": [
    ([a, b, c]) => ops.joinColumns(STRETCHES, { first: a!, second: b!, third: c! }),
    normal(3, 2),
    normal(3, 1),
    normal(3, 4),
  ],
  "splitColumns, two of three stretches read, one of them twice": [
    ([x]) => {
      const { first, third } = ops.splitColumns(STRETCHES, x!);
      return ops.concat([third, ops.mul(first, first)], 1);
    },
    normal(3, 7),
  ],
  concat: [([a, b]) => ops.concat([a!, b!], -1), normal(2, 3), normal(2, 4)],
  pad: [
    ([x]) =>
      ops.pad(x!, [
        [0, 1],
        [2, 0],
      ]),
    normal(2, 3),
  ],
  "sum over all": [([x]) => ops.sum(x!), normal(2, 3)],
  "sum over an axis": [([x]) => ops.sum(x!, 1), normal(2, 3, 4)],
  "mean over all": [([x]) => ops.mean(x!), normal(2, 3)],
  "mean over the last axis, kept": [([x]) => ops.mean(x!, -1, true), normal(2, 3, 4)],
  crossEntropy: [([h, w]) => ops.crossEntropy(h!, w!, Int32Array.of(1, 5, 0)), normal(3, 4), normal(6, 4)],
  "crossEntropy, smoothed, with bias": [
    ([h, w, b]) => ops.crossEntropy(h!, w!, Int32Array.of(1, 5, 0), { bias: b!, labelSmoothing: 0.1 }),
    normal(3, 4),
    normal(6, 4),
    normal(6),
  ],
  softmaxCrossEntropy: [
    ([x]) => ops.softmaxCrossEntropy(x!, Int32Array.of(1, 4, 0), { labelSmoothing: 0.2 }),
    normal(3, 5),
  ],
  dropout: [([x]) => ops.dropout(x!, 0.4, 7), normal(4, 5)],
  "dropout by row": [([x]) => ops.dropout(x!, 0.4, Int32Array.of(7, 1, 7, -3)), normal(4, 5)],
  "a checkpoint with a captured parameter": [
    ([x, w], tape) => tape.checkpoint([x!], (inner) => ops.tanh(ops.linear(ops.square(inner), w!))),
    normal(3, 4),
    normal(5, 4),
  ],
};

for (const { backend, matmul, simd } of SETUPS) {
  describe(`gradients by central differences on ${backend} with ${matmul}${simd ? " and SIMD" : ""}`, () => {
    it.each(Object.entries(CASES))("%s", async (_, [run, ...inputs]) => {
      await useBackend(backend, simd);
      checkGradients(run, inputs, matmul);
      expect(tf.getBackend()).toBe(backend);
    });
  });
}
