import "@tensorflow/tfjs-backend-cpu";
import { linear, sum, Tape, type Scope, type Value } from "@thaw/core";
import * as tf from "@tensorflow/tfjs-core";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { matrixNames, type Adapter } from "./adapter.js";
import { AdapterScope } from "./adapter-scope.js";
import { dropoutSeed, rowSeeds } from "./dropout-seed.js";
import { mergedWeight } from "./merge.js";

const adapter: Adapter = {
  module: "layer",
  component: "c",
  rank: 2,
  alpha: 3,
  rslora: false,
  scaling: 1.5,
  dropout: 0,
  inputs: 4,
  outputs: 3,
};
const { a: A, b: B } = matrixNames("layer");
const numbers = (count: number, phase: number): Float32Array =>
  Float32Array.from({ length: count }, (_, index) => Math.sin(3 * index + phase));
const weights: Readonly<Record<string, tf.Tensor>> = {};

let before = 0;
beforeAll(async () => {
  await tf.setBackend("cpu");
  Object.assign(weights, {
    "layer.weight": tf.tensor(numbers(12, 1), [3, 4]),
    [A]: tf.tensor(numbers(8, 2), [2, 4]),
    [B]: tf.tensor(numbers(6, 3), [3, 2]),
  });
});
beforeEach(() => {
  before = tf.memory().numTensors;
});
afterEach(() => {
  expect(tf.memory().numTensors).toBe(before);
});

/** A scope over the three weights; `trained` ones need a gradient. */
function scopeOn(tape: Tape, trained: readonly string[]): Scope {
  const parameter = (name: string): Value => tape.parameter(weights[name]!, trained.includes(name));
  return {
    parameter,
    hasParameter: (name) => name in weights,
    training: true,
    linear: (x, name) => linear(x, parameter(`${name}.weight`)),
    segment: (_name, inputs, run) => run(...inputs),
    constant: (tensor) => tape.constant(tensor),
    own: (tensor) => tape.own(tensor),
  };
}
const wrap = (scope: Scope, changed: Partial<Adapter> = {}, at = { step: 0, microBatch: 0 }): AdapterScope =>
  new AdapterScope(
    scope,
    { adapters: new Map([["layer", { ...adapter, ...changed }]]), plainSegments: new Set(["plain"]), seed: 7 },
    { purpose: "train", ...at },
  );

describe("AdapterScope", () => {
  it("adds the scaled low-rank product, which merging makes one weight of", async () => {
    const tape = new Tape();
    const x = tf.tensor(numbers(20, 4), [5, 4]);
    const got = await wrap(scopeOn(tape, [])).linear(tape.constant(x), "layer").tensor.data();
    const merged = await mergedWeight(numbers(12, 1), adapter, async (name) =>
      (await weights[name]!.data<"float32">()).slice(),
    );
    const wanted = tf.tidy(() => tf.matMul(x as tf.Tensor2D, tf.tensor2d(merged, [3, 4]), false, true).dataSync());
    for (const [index, value] of got.entries()) expect(value).toBeCloseTo(wanted[index]!, 5);
    tape.dispose();
    x.dispose();
  });

  it("keeps for backward the layer's input, a rank-wide product and nothing else", () => {
    const tape = new Tape();
    const x = tf.tensor(numbers(20, 4), [5, 4]);
    const input = tape.parameter(x, true);
    const scope = wrap(scopeOn(tape, [A, B]));
    const start = tf.memory();
    const output = scope.linear(input, "layer");
    const now = tf.memory();
    // The output [5, 3], the scaled product [5, 2], and the scale
    expect([now.numTensors - start.numTensors, now.numBytes - start.numBytes]).toEqual([3, 4 * (15 + 10 + 1)]);
    const gradients = tape.backward(sum(output), [input, scope.parameter(A), scope.parameter(B)]);
    expect(gradients.map((gradient) => gradient?.shape)).toEqual([
      [5, 4],
      [2, 4],
      [3, 2],
    ]);
    tape.dispose();
    tf.dispose([x, ...(gradients as tf.Tensor[])]);
  });

  it("has core keep what no adapter is in", () => {
    const tape = new Tape();
    const asked: string[] = [];
    const scope = wrap({ ...scopeOn(tape, []), kept: (segment) => (asked.push(segment), []) });
    expect([scope.kept("plain", "key", () => []), scope.kept("adapted", "key", () => [])]).toEqual([[], undefined]);
    expect(asked).toEqual(["plain"]);
    tape.dispose();
  });

  it("has core join stretches with the adapters in them, but where dropout makes each pass another one", () => {
    const asked: (readonly [string, ...string[]])[] = [];
    const run = (changed: Partial<Adapter>, isJoined: boolean, parameters: readonly string[]): readonly number[] => {
      const tape = new Tape();
      const plain = scopeOn(tape, [A, B]);
      const stretch: Scope["stretch"] = (key, inputs, names, inside) => (
        asked.push([key, ...names]),
        inside({ ...plain, hasParameter: (name) => names.includes(name) }, ...inputs)
      );
      const scope = wrap(isJoined ? { ...plain, stretch } : plain, changed);
      const x = tape.own(tf.tensor(numbers(20, 4), [5, 4]));
      const output = scope.stretch("key#5", [x], parameters, (within, given) => within.linear(given!, "layer"));
      const values = [...output.tensor.dataSync()];
      const gradients = tape.backward(sum(output), [scope.parameter(A), scope.parameter(B)]) as tf.Tensor[];
      values.push(...gradients.flatMap((tensor) => [...tensor.dataSync()]));
      tape.dispose();
      tf.dispose(gradients);
      return values;
    };
    expect(run({}, true, ["norm", "layer.weight"])).toEqual(run({}, false, ["norm", "layer.weight"]));
    expect(run({ dropout: 0.5 }, true, ["layer.weight"])).toEqual(run({ dropout: 0.5 }, false, ["layer.weight"]));
    run({}, true, ["layer.bias"]);
    expect(asked).toEqual([
      ["with adapters of 1 by 1.5, key#5", "norm", "layer.weight", A, B],
      ["key#5", "layer.bias"],
    ]);
  });

  it("leaves a layer without adapter to the scope inside", () => {
    const tape = new Tape();
    const x = tf.zeros([1, 4]);
    const inner = scopeOn(tape, []);
    const scope = new AdapterScope(
      inner,
      { adapters: new Map(), plainSegments: new Set(), seed: 7 },
      { purpose: "train", step: 0, microBatch: 0 },
    );
    expect(scope.linear(tape.constant(x), "layer").shape).toEqual([1, 3]);
    expect(scope.hasParameter("layer.bias")).toBe(false);
    tape.dispose();
    x.dispose();
  });

  it("drops inputs as seed, step, micro-batch and module say, and none where the adapter does not train", async () => {
    const x = tf.ones([64, 4]);
    const output = async (trained: readonly string[], at = { step: 1, microBatch: 2 }): Promise<number[]> => {
      const tape = new Tape();
      const values = [
        ...(await wrap(scopeOn(tape, trained), { dropout: 0.5 }, at).linear(tape.constant(x), "layer").tensor.data()),
      ];
      tape.dispose();
      return values;
    };
    const first = await output([A, B]);
    expect(await output([A, B])).toEqual(first);
    expect(await output([A, B], { step: 1, microBatch: 3 })).not.toEqual(first);
    expect(await output([A, B], { step: 2, microBatch: 2 })).not.toEqual(first);
    const plain = await output([]);
    expect(new Set(plain.map((value) => value.toFixed(5))).size).toBe(3);
    expect(first).not.toEqual(plain);
    x.dispose();
  });
});

describe("dropoutSeed", () => {
  it("is a 32-bit function of everything that it is given", () => {
    const seeds = [
      dropoutSeed(1, { step: 2, microBatch: 3 }, "a"),
      dropoutSeed(2, { step: 2, microBatch: 3 }, "a"),
      dropoutSeed(1, { step: 3, microBatch: 2 }, "a"),
      dropoutSeed(1, { step: 2, microBatch: 3 }, "b"),
    ];
    expect(new Set(seeds).size).toBe(4);
    expect(dropoutSeed(1, { step: 2, microBatch: 3 }, "a")).toBe(seeds[0]);
    for (const seed of seeds) expect(seed).toBe(seed | 0);
  });

  it("is for each row one of sample and place, whatever the others are", () => {
    const at = (samples: readonly string[], owners: readonly (readonly [sample: number, place: number])[]) => [
      ...rowSeeds(1, { step: 2, samples }, "a", {
        samples: Int32Array.from(owners, ([sample]) => sample),
        places: Int32Array.from(owners, ([, place]) => place),
      }),
    ];
    const one = at(
      ["x"],
      [
        [0, 0],
        [0, 1],
        [0, 2],
      ],
    );
    const two = at(
      ["y", "x"],
      [
        [0, 0],
        [0, 2],
        [1, 0],
        [1, 2],
        [1, 1],
      ],
    );
    expect([two[2], two[4], two[3]]).toEqual(one);
    expect(new Set(two).size).toBe(5);
  });
});
