import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SETUPS, useBackend } from "../../../test/backends.js";
import { registerStandIns } from "../../../test/fused-stand-ins.js";
import type { Case, Input } from "../../../test/numeric.js";
import { evaluate, randomInput, relativeError } from "../../../test/numeric.js";
import type { Tape, Value } from "../../index.js";
import {
  add,
  attention,
  AttentionSpans,
  geglu,
  geluTanh,
  layerNorm,
  mul,
  multiHeadAttention,
  quickGelu,
  reshape,
  rmsNorm,
  rotary,
  rotaryHeads,
  silu,
  swiglu,
  transpose,
} from "../../index.js";

const at = (shape: readonly number[], seed: number): Input => randomInput(shape, seed);
const table = (tape: Tape, shape: readonly number[], seed: number): tf.Tensor =>
  tape.own(tf.tensor(at(shape, seed).values, [...shape])).tensor;
const HEADS = { headCount: 4, keyValueHeadCount: 2, scale: 0.4 };

/** Two samples of unlike lengths, the keys of the second behind rows that nobody reads. */
const RAGGED = new AttentionSpans(
  [
    { firstQuery: 0, queries: 3, firstKey: 0, keys: 3 },
    { firstQuery: 3, queries: 4, firstKey: 5, keys: 5 },
  ],
  { end: Int32Array.of(1, 2, 3, 2, 5, 1, 4) },
);

/** Ops that a backend may have a kernel for. */
const FUSED: Record<string, readonly [Case, readonly Input[]]> = {
  rmsNorm: [([x, w]) => rmsNorm(x!, w!, 1e-5), [at([3, 7], 1), at([7], 2)]],
  "rmsNorm of a weight minus one": [
    ([x, w]) => rmsNorm(x!, w!, 1e-5, { unitOffset: true }),
    [at([2, 3, 5], 1), at([5], 2)],
  ],
  layerNorm: [([x, w, b]) => layerNorm(x!, w!, b!, 1e-5), [at([3, 7], 1), at([7], 2), at([7], 3)]],
  "norms whose input has another use": [
    ([x, w, b]) => add(rmsNorm(x!, w!, 1e-5), mul(x!, layerNorm(x!, w!, b!, 1e-5))),
    [at([3, 7], 1), at([7], 2), at([7], 3)],
  ],
  silu: [([x]) => silu(x!), [at([19], 1)]],
  quickGelu: [([x]) => quickGelu(x!), [at([19], 1)]],
  geluTanh: [([x]) => geluTanh(x!), [at([19], 1)]],
  swiglu: [([gate, up]) => swiglu(gate!, up!), [at([3, 7], 1), at([3, 7], 2)]],
  geglu: [([gate, up]) => geglu(gate!, up!), [at([3, 7], 1), at([3, 7], 2)]],
  "rotaryHeads with one line per position": [
    ([x], tape) => rotaryHeads(x!, 3, table(tape, [5, 4], 4), table(tape, [5, 4], 5)),
    [at([10, 12], 1)],
  ],
  "rotaryHeads with tables that are freed before backward": [
    ([x], tape) => tape.tidy(() => rotaryHeads(x!, 3, table(tape, [5, 4], 4), table(tape, [5, 4], 5))),
    [at([10, 12], 1)],
  ],
  "rotaryHeads with one line per row": [
    ([x], tape) => rotaryHeads(x!, 2, table(tape, [3, 6], 4), table(tape, [3, 6], 5)),
    [at([3, 12], 1)],
  ],
  "multiHeadAttention, causal": [
    ([q, k, v]) => multiHeadAttention(q!, k!, v!, { ...HEADS, spans: AttentionSpans.even(2, 5, true) }),
    [at([10, 12], 1), at([10, 6], 2), at([10, 6], 3)],
  ],
  "multiHeadAttention over whole samples": [
    ([q, k, v]) =>
      multiHeadAttention(q!, k!, v!, { headCount: 2, scale: 0.4, spans: AttentionSpans.even(2, 3, false) }),
    [at([6, 8], 1), at([6, 8], 2), at([6, 8], 3)],
  ],
  "multiHeadAttention over samples of any length": [
    ([q, k, v]) => multiHeadAttention(q!, k!, v!, { ...HEADS, spans: RAGGED }),
    [at([7, 12], 1), at([10, 6], 2), at([10, 6], 3)],
  ],
};

const run = (
  [op, inputs]: readonly [Case, readonly Input[]],
  needs: readonly boolean[],
  matmul: "flags" | "plain2d",
) => {
  const direction = at([evaluate(op, inputs, needs, null, matmul).output.length], 9).values;
  return evaluate(op, inputs, needs, direction, matmul);
};

describe.each(SETUPS)("on $backend with $matmul (simd: $simd)", ({ backend, matmul, simd }) => {
  beforeAll(async () => useBackend(backend, simd));

  it("attends in rows of heads as with heads taken apart", () => {
    const inputs = [at([10, 12], 1), at([10, 6], 2), at([10, 6], 3)];
    const split = (x: Value, heads: number): Value => transpose(reshape(x, [2, 5, heads, 3]), [0, 2, 1, 3]);
    const mask = Float32Array.from({ length: 25 }, (_, index) => (index % 5 > Math.floor(index / 5) ? -1e9 : 0));
    const apart: Case = ([q, k, v], tape) =>
      reshape(
        transpose(
          attention(split(q!, 4), split(k!, 2), split(v!, 2), {
            scale: 0.4,
            mask: tape.own(tf.tensor(mask, [5, 5])).tensor,
          }),
          [0, 2, 1, 3],
        ),
        [10, 12],
      );
    const [together, wanted] = [
      run(FUSED["multiHeadAttention, causal"]!, [true, true, true], matmul),
      run([apart, inputs], [true, true, true], matmul),
    ];
    expect(relativeError(together.output, wanted.output)).toBeLessThan(1e-5);
    together.gradients.forEach((gradient, index) => {
      expect(relativeError(gradient!, wanted.gradients[index]!)).toBeLessThan(1e-5);
    });
  });

  it("turns rows of heads as heads taken apart", () => {
    const apart: Case = ([x], tape) =>
      reshape(
        transpose(
          rotary(transpose(reshape(x!, [2, 5, 3, 4]), [0, 2, 1, 3]), table(tape, [5, 4], 4), table(tape, [5, 4], 5)),
          [0, 2, 1, 3],
        ),
        [10, 12],
      );
    const [together, wanted] = [
      run(FUSED["rotaryHeads with one line per position"]!, [true], matmul),
      run([apart, [at([10, 12], 1)]], [true], matmul),
    ];
    expect(relativeError(together.output, wanted.output)).toBeLessThan(1e-5);
    expect(relativeError(together.gradients[0]!, wanted.gradients[0]!)).toBeLessThan(1e-5);
  });

  it("attends within samples of any length as in each alone", () => {
    const whole = run(FUSED["multiHeadAttention over samples of any length"]!, [false, false, false], matmul).output;
    const [q, k, v] = [at([7, 12], 1), at([10, 6], 2), at([10, 6], 3)] as const;
    const part = ({ values, shape }: Input, first: number, count: number): Input => ({
      values: values.slice(first * shape[1]!, (first + count) * shape[1]!),
      shape: [count, shape[1]!],
    });
    for (const [{ firstQuery, queries, firstKey, keys }] of RAGGED.samples.map((span) => [span] as const)) {
      const alone = new AttentionSpans([{ firstQuery: 0, queries, firstKey: 0, keys }], {
        end: RAGGED.end!.slice(firstQuery, firstQuery + queries),
      });
      const own = run(
        [
          ([a, b, c]) => multiHeadAttention(a!, b!, c!, { ...HEADS, spans: alone }),
          [part(q, firstQuery, queries), part(k, firstKey, keys), part(v, firstKey, keys)],
        ],
        [false, false, false],
        matmul,
      ).output;
      expect(relativeError(whole.slice(firstQuery * 12, (firstQuery + queries) * 12), own)).toBeLessThan(1e-5);
    }
  });
});

describe("with kernels of the backend's own", () => {
  let unregister: (() => void) | undefined;
  beforeAll(async () => useBackend("cpu"));
  afterAll(() => unregister?.());

  it.each(Object.entries(FUSED))("%s gives the same, also where not every gradient is wanted", (_name, given) => {
    for (const needs of [
      given[1].map(() => true),
      given[1].map((_input, index) => index === 0),
      given[1].map((_input, index) => index > 0),
    ]) {
      unregister?.();
      unregister = undefined;
      const composed = run(given, needs, "flags");
      unregister = registerStandIns("cpu");
      const fused = run(given, needs, "flags");
      expect(relativeError(fused.output, composed.output)).toBeLessThan(2e-5);
      composed.gradients.forEach((gradient, index) => {
        if (gradient === null) expect(fused.gradients[index]).toBeNull();
        else expect(relativeError(fused.gradients[index]!, gradient)).toBeLessThan(2e-5);
      });
    }
  });
});

it("refuses shapes that are not rows of heads", async () => {
  await useBackend("cpu");
  const wrong: Case = ([q, k, v]) =>
    multiHeadAttention(q!, k!, v!, { headCount: 5, scale: 1, spans: AttentionSpans.even(1, 4, true) });
  expect(() =>
    evaluate(wrong, [at([4, 12], 1), at([4, 12], 2), at([4, 12], 3)], [false, false, false], null, "flags"),
  ).toThrow(expect.objectContaining({ code: "THAW_AUTOGRAD_SHAPE" }));
  const odd: Case = ([x], tape) => rotaryHeads(x!, 2, table(tape, [3, 5], 1), table(tape, [3, 5], 2));
  expect(() => evaluate(odd, [at([3, 10], 1)], [false], null, "flags")).toThrow(
    expect.objectContaining({ code: "THAW_AUTOGRAD_SHAPE" }),
  );
});
