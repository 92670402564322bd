import * as tf from "@tensorflow/tfjs-core";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { useBackend } from "../../test/backends.js";
import { type Case, evaluate, type Input, randomInput, relativeError } from "../../test/numeric.js";
import { installFunctions } from "../../test/replayed-functions.js";
import {
  add,
  asFunction,
  AttentionSpans,
  type CompileFunction,
  type FunctionInput,
  fuse,
  geglu,
  gelu,
  geluTanh,
  layerNorm,
  linear,
  mul,
  multiHeadAttention,
  type Narrowed,
  quickGelu,
  rmsNorm,
  rotaryHeads,
  silu,
  simulatedBfloat16,
  swiglu,
  Tape,
  type TapeOptions,
  type TensorFunctions,
  type Value,
} from "../index.js";
import type { TracedProducts } from "../bfloat16/products.js";
import type { WholeAttention } from "../bfloat16/whole-attention.js";

const at = (shape: readonly number[], seed: number): Input => randomInput(shape, seed);
const HEADS = { headCount: 4, keyValueHeadCount: 2, scale: 0.4 };
const table = (tape: Tape, shape: readonly number[], seed: number): tf.Tensor =>
  tape.own(tf.tensor(at(shape, seed).values, [...shape])).tensor;
const attends = (samples: number, tokens: number, isCausal: boolean): readonly [Case, readonly Input[]] => [
  ([q, k, v]) => multiHeadAttention(q!, k!, v!, { ...HEADS, spans: AttentionSpans.even(samples, tokens, isCausal) }),
  [at([samples * tokens, 12], 1), at([samples * tokens, 6], 2), at([samples * tokens, 6], 3)],
];

/** A layer of a decoder: norm, attention, residual, norm, gate, residual. */
const layer = (x: Value, norm: Value, keys: Value, up: Value, down: Value): Value => {
  const h = rmsNorm(x, norm, 1e-5);
  const mixed = multiHeadAttention(h, linear(h, keys), linear(h, keys), {
    ...HEADS,
    spans: AttentionSpans.even(2, 5, true),
  });
  const attended = add(x, mixed);
  const wide = linear(rmsNorm(attended, norm, 1e-5), up);
  return add(attended, linear(swiglu(wide, quickGelu(wide)), down));
};
const LAYER = [at([10, 12], 1), at([12], 2), at([6, 12], 3), at([20, 12], 4), at([12, 20], 5)];

const CASES: Record<string, readonly [Case, readonly Input[]]> = {
  rmsNorm: [([x, w]) => rmsNorm(x!, w!, 1e-5, { unitOffset: true }), [at([3, 7], 1), at([7], 2)]],
  layerNorm: [([x, w, b]) => layerNorm(x!, w!, b!, 1e-5), [at([3, 7], 1), at([7], 2), at([7], 3)]],
  "a linear layer with bias": [([x, w, b]) => linear(x!, w!, b!), [at([3, 7], 1), at([5, 7], 2), at([5], 3)]],
  "activations, one after the other": [([x]) => silu(quickGelu(geluTanh(gelu(x!)))), [at([19], 1)]],
  "gates whose input has another use": [([a, b]) => swiglu(geglu(a!, b!), a!), [at([3, 7], 1), at([3, 7], 2)]],
  rotaryHeads: [([x], tape) => rotaryHeads(x!, 3, table(tape, [5, 4], 4), table(tape, [5, 4], 5)), [at([10, 12], 1)]],
  "causal attention": attends(2, 5, true),
  "attention over whole samples": attends(2, 3, false),
  "causal attention in blocks": [
    ([q, k, v]) =>
      multiHeadAttention(q!, k!, v!, { headCount: 1, scale: 0.4, spans: AttentionSpans.even(1, 260, true) }),
    [at([260, 2], 1), at([260, 2], 2), at([260, 2], 3)],
  ],
  "a stretch of ops": [
    ([x, ...w]) =>
      fuse("layer", [x!, ...w], (rows, ...given) => layer(rows!, ...(given as [Value, Value, Value, Value]))),
    LAYER,
  ],
  "a stretch that is computed again": [
    ([x, ...w], tape) =>
      tape.checkpoint([x!], (rows) =>
        fuse("layer", [rows, ...w], (first, ...given) => layer(first!, ...(given as [Value, Value, Value, Value]))),
      ),
    LAYER,
  ],
  "a stretch with an input twice": [([x]) => fuse("twice", [x!, x!], (a, b) => swiglu(a!, silu(b!))), [at([4, 4], 1)]],
};

const run = ([op, inputs]: readonly [Case, readonly Input[]], needs: readonly boolean[], seed = 9) =>
  evaluate(
    op,
    inputs,
    needs,
    at(
      [
        evaluate(
          op,
          inputs,
          inputs.map(() => false),
          null,
          "flags",
        ).output.length,
      ],
      seed,
    ).values,
    "flags",
  );

describe("where the backend makes functions", () => {
  let functions: ReturnType<typeof installFunctions> | undefined;
  beforeAll(async () => useBackend("cpu"));
  afterEach(() => {
    functions?.remove();
    functions = undefined;
  });

  it.each(Object.entries(CASES))("%s gives the same, for other values too", (_name, [op, inputs]) => {
    const others = inputs.map(({ shape }, index) => at(shape, 50 + index));
    const combinations = [inputs.map(() => true), inputs.map((_input, index) => index === 0)];
    const wanted = [inputs, others].map((given) => combinations.map((needs) => run([op, given], needs)));
    functions = installFunctions();
    [inputs, others].forEach((given, set) =>
      combinations.forEach((needs, which) => {
        const got = run([op, given], needs);
        expect(relativeError(got.output, wanted[set]![which]!.output)).toBeLessThan(2e-5);
        got.gradients.forEach((gradient, index) => {
          if (needs[index]) expect(relativeError(gradient!, wanted[set]![which]!.gradients[index]!)).toBeLessThan(5e-5);
          else expect(gradient).toBeNull();
        });
      }),
    );
    expect(functions.made.length).toBeGreaterThan(0);
  });

  it("keeps of a stretch what its ops would keep, and of one that is not recorded nothing", () => {
    const held = (withFunctions: boolean, isRecorded: boolean): number => {
      if (withFunctions) functions = installFunctions();
      const tensors = LAYER.map(({ values, shape }) => tf.tensor(values, [...shape]));
      // Once to make the functions, once to look.
      return [0, 1]
        .map(() => {
          const tape = new Tape();
          const [x, ...weights] = tensors.map((tensor, index) => tape.parameter(tensor, index === 0)) as [
            Value,
            ...Value[],
          ];
          const before = tf.memory().numBytes;
          const make = (): Value =>
            fuse("layer", [x, ...weights], (rows, ...given) =>
              layer(rows!, ...(given as [Value, Value, Value, Value])),
            );
          if (isRecorded) tape.tidy(make);
          else tape.noGrad(() => tape.tidy(make));
          const bytes = tf.memory().numBytes - before;
          tape.dispose();
          return bytes;
        })
        .at(-1)!;
    };
    const [plain, silent] = [held(false, true), held(false, false)];
    // Attention keeps a normaliser for each row and head, and its keys and values in heads.
    expect(held(true, true)).toBeLessThan(1.1 * plain);
    functions?.remove();
    expect(held(true, false)).toBeLessThanOrEqual(silent);
  });

  it("runs op by op what does not compile", () => {
    const wanted = run(
      CASES["a stretch of ops"]!,
      LAYER.map(() => true),
    );
    functions = installFunctions({ isFailing: true });
    const got = run(
      CASES["a stretch of ops"]!,
      LAYER.map(() => true),
    );
    expect(got.output).toEqual(wanted.output);
    expect(got.gradients).toEqual(wanted.gradients);
    expect(functions.made).toEqual([]);
  });

  it("makes a function without whole attention where the card refuses it", () => {
    const traced: boolean[] = [];
    const refused: string[] = [];
    const products = (options: { readonly hasAttention?: boolean } = {}): TracedProducts => ({
      ...simulatedBfloat16(),
      handle: () => ({ id: -1, shape: [2, 2], dtype: "bfloat16" }),
      traced: (next) => {
        traced.push(next?.hasAttention !== false);
        return products(next);
      },
      wide: () => expect.unreachable("nothing is multiplied"),
      rounded: () => expect.unreachable("nothing is multiplied"),
      ...(options.hasAttention === false ? {} : { attention: {} as WholeAttention }),
    });
    const matrix = { words: tf.zeros([2, 1]), shape: [2, 2] as const };
    const [x, tape] = [tf.tensor1d([1, 2]), new Tape()];
    const compile: CompileFunction = (given, run) => {
      if (refused.length === 0) {
        refused.push("no engine for these heads");
        throw new Error(refused[0]);
      }
      run();
      return { reads: given.map(() => true), call: ([first]) => [tf.mul(first as tf.Tensor, 3)] };
    };
    const functions: TensorFunctions = { get: (_key, _inputs, make) => make(compile), endPass: () => undefined };
    Object.assign(tape.kernels, { functions });
    const given = [tape.constant(x), tape.packedParameter(matrix, products())];
    const output = fuse("three times", given, (first) => mul(first, first));
    expect([...output.tensor.dataSync()]).toEqual([3, 6]);
    expect(traced).toEqual([true, false]);
    tape.dispose();
    tf.dispose([x, matrix.words]);
  });

  it("keeps what ops hand on in bfloat16 where products are, and statistics as they are", () => {
    const products: TracedProducts = {
      ...simulatedBfloat16(),
      handle: () => ({ id: -1, shape: [4, 2], dtype: "bfloat16" }),
      traced: () => products,
      wide: () => expect.unreachable("nothing is multiplied in batches"),
      rounded: () => expect.unreachable("nothing that trains is multiplied"),
    };
    const matrix = { words: tf.zeros([4, 1]), shape: [4, 2] as const };
    const [x, gain, tape] = [tf.ones([3, 2]), tf.ones([2]), new Tape()];
    const handedOn: string[][] = [];
    const compile: CompileFunction = (given, run) => {
      const names = (tensors: readonly (FunctionInput | Narrowed)[]): string[] =>
        tensors.map((one) => ("narrow" in one ? `narrow ${one.narrow.shape.join()}` : one.shape.join()));
      handedOn.push(names(given));
      const shapes = run().map((one) => ("narrow" in one ? one.narrow : one).shape);
      return { reads: given.map(() => true), call: () => shapes.map((shape) => tf.zeros(shape)) };
    };
    const functions: TensorFunctions = { get: (_key, _inputs, make) => make(compile), endPass: () => undefined };
    Object.assign(tape.kernels, { functions });
    const given = [tape.parameter(x, true), tape.constant(gain), tape.packedParameter(matrix, products)];
    fuse("silu of a product", given, (rows, weight, packed) => silu(linear(rmsNorm(rows!, weight!, 1e-5), packed!)));
    tape.dispose();
    // Of backward: the gradient, the inputs, the output, the normaliser of rows and what the activation reads.
    const [, backward] = handedOn as [string[], string[]];
    expect(backward.slice(0, 5)).toEqual(["3,4", "3,2", "2", "4,2", "3,4"]);
    expect(backward.slice(5).toSorted()).toEqual(["3,1", "narrow 3,4"]);
    tf.dispose([x, gain, matrix.words]);
  });

  it("multiplies in bfloat16 by what trains too, under a key of its own, where the tape says so", () => {
    const [x, weight] = [tf.ones([3, 2]), tf.ones([4, 2])];
    const keyOf = (options: TapeOptions): string => {
      const keys: string[] = [];
      const tape = new Tape(options);
      const functions: TensorFunctions = { get: (key) => void keys.push(key), endPass: () => undefined };
      Object.assign(tape.kernels, { functions });
      fuse("product", [tape.constant(x), tape.parameter(weight, true)], (rows, matrix) => linear(rows!, matrix!));
      tape.dispose();
      return keys.join();
    };
    expect([keyOf({}), keyOf({ products: simulatedBfloat16() })]).toEqual(["01 product", "bfloat16 01 product"]);
    tf.dispose([x, weight]);
  });

  it("makes functions of raw tensors", () => {
    const [a, b] = [tf.tensor1d([1, 2]), tf.tensor1d([3, 5])];
    const before = tf.memory().numTensors;
    const sum = (inputs: readonly tf.Tensor[]): number[][] =>
      tf.tidy(() =>
        asFunction("sum and product", inputs, ([x, y]) => [tf.add(x!, y!), tf.mul(x!, y!)]).map((tensor) => [
          ...tensor.dataSync(),
        ]),
      );
    expect(sum([a, b])).toEqual([
      [4, 7],
      [3, 10],
    ]);
    functions = installFunctions();
    expect(sum([a, b])).toEqual([
      [4, 7],
      [3, 10],
    ]);
    expect(sum([b, b])).toEqual([
      [6, 10],
      [9, 25],
    ]);
    expect(functions.made).toEqual(["sum and product"]);
    expect(tf.memory().numTensors).toBe(before);
    tf.dispose([a, b]);
  });
});
