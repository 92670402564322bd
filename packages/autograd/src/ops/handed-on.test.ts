import * as tf from "@tensorflow/tfjs-core";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { useBackend } from "../../test/backends.js";
import { randomInput, relativeError } from "../../test/numeric.js";
import { installFunctions } from "../../test/replayed-functions.js";
import {
  add,
  type Bfloat16Products,
  fuse,
  gatherRows,
  linear,
  mul,
  quickGelu,
  rmsNorm,
  simulatedBfloat16,
  sum,
  swiglu,
  Tape,
  type Value,
} from "../index.js";
import type { TracedProducts } from "../bfloat16/products.js";
import { isNarrow } from "../engine/narrow.js";
import type { ValueNode } from "../engine/node.js";

/** What hands on between functions alone: within them cpu multiplies in float32. */
const products: Bfloat16Products = {
  ...simulatedBfloat16(),
  traced: () => ({ ...products, wide: tf.matMul, rounded: tf.matMul }) as unknown as TracedProducts,
};

const layer = (x: Value, gain: Value, up: Value, down: Value): Value => {
  const wide = linear(rmsNorm(x, gain, 1e-5), up);
  return add(x, linear(swiglu(wide, quickGelu(wide)), down));
};
const stretch = (x: Value, [gain, up, down]: readonly Value[], handsOn = true): Value =>
  fuse("layer", [x, gain!, up!, down!], (...[rows, first, second, third]) => layer(rows!, first!, second!, third!), {
    handsOn,
  });

type Body = (tape: Tape, x: Value, weights: readonly Value[]) => Value;
const BODIES: Record<string, Body> = {
  "three stretches": (_tape, x, weights) => stretch(stretch(stretch(x, weights), weights), weights),
  "a value that two stretches read, and an op": (_tape, x, weights) => {
    const first = stretch(x, weights);
    return add(add(stretch(first, weights), stretch(stretch(first, weights), weights)), quickGelu(first));
  },
  "rows of a value": (_tape, x, weights) => gatherRows(stretch(x, weights), Int32Array.of(1, 3)),
  "stretches that are computed again": (tape, x, weights) =>
    [0, 1, 2].reduce((rows) => tape.checkpoint([rows], (given) => stretch(given, weights)), x),
  "one that is computed again, between others": (tape, x, weights) =>
    stretch(
      tape.checkpoint([stretch(x, weights)], (rows) => stretch(quickGelu(rows), weights)),
      weights,
    ),
  "a stretch that hands on and one that does not": (_tape, x, weights) =>
    stretch(stretch(stretch(x, weights), weights, false), weights),
  "an odd number of columns": (tape, x, weights) => {
    const odd = tape.own(tf.ones([3, 12]));
    const rows = linear(stretch(x, weights), odd);
    return fuse("odd", [rows], (given) => quickGelu(given), { handsOn: true });
  },
};
const INPUTS = [[10, 12], [12], [20, 12], [12, 20]].map((shape, index) => randomInput(shape, index + 1));

interface Found {
  readonly output: Float32Array;
  readonly gradients: readonly Float32Array[];
  readonly bytes: number;
}

/** `bytes`: what the tape holds between forward and backward. */
function run(body: Body, isNarrowed: boolean): Found {
  const tensors = INPUTS.map(({ values, shape }) => tf.tensor(values, [...shape]));
  const before = tf.memory().numBytes;
  const tape = new Tape(isNarrowed ? { products } : {});
  const [x, ...weights] = tensors.map((tensor) => tape.parameter(tensor, true)) as [Value, ...Value[]];
  const output = tape.tidy(() => body(tape, x, weights));
  const bytes = tf.memory().numBytes - before;
  const values = output.tensor.dataSync<"float32">().slice();
  const weight = tape.own(tf.tensor(randomInput(output.shape, 9).values, [...output.shape]));
  const gradients = tape.backward(sum(mul(output, weight)), [x, ...weights]);
  const found = gradients.map((gradient) => gradient!.dataSync<"float32">().slice());
  tf.dispose([...gradients, ...tensors] as tf.Tensor[]);
  tape.dispose();
  return { output: values, gradients: found, bytes };
}

describe("stretches that hand on bfloat16", () => {
  let functions: ReturnType<typeof installFunctions> | undefined;
  beforeAll(async () => useBackend("cpu"));
  beforeEach(() => {
    functions = installFunctions();
  });
  afterEach(() => functions?.remove());

  it.each(Object.entries(BODIES))("give output and gradients of float32 to its rounding: %s", (_name, body) => {
    const before = tf.memory().numTensors;
    const [wanted, first, again] = [run(body, false), run(body, true), run(body, true)];
    for (const got of [first, again]) {
      expect(relativeError(got.output, wanted.output)).toBeLessThan(2e-2);
      expect(got.output).not.toEqual(wanted.output);
      got.gradients.forEach((gradient, index) =>
        expect(relativeError(gradient, wanted.gradients[index]!)).toBeLessThan(2e-2),
      );
    }
    expect(again).toEqual({ ...first, bytes: again.bytes });
    expect(tf.memory().numTensors).toBe(before);
  });

  it("keep half the bytes of what they hand on", () => {
    const body = BODIES["stretches that are computed again"]!;
    run(body, true);
    const [wide, narrow] = [run(body, false), run(body, true)];
    // Two of three inputs and the output: the first is the caller's.
    expect(wide.bytes - narrow.bytes).toBe((3 * 10 * 12 * 4) / 2);
  });

  it("hand on the same where no function is made yet, if nothing else is kept of them", () => {
    functions!.remove();
    functions = installFunctions({ isFailing: true });
    const body = BODIES["stretches that are computed again"]!;
    const [wide, narrow] = [run(body, false), run(body, true)];
    expect(relativeError(narrow.output, wide.output)).toBeLessThan(2e-2);
    narrow.gradients.forEach((gradient, index) =>
      expect(relativeError(gradient, wide.gradients[index]!)).toBeLessThan(2e-2),
    );
    expect(wide.bytes - narrow.bytes).toBe((3 * 10 * 12 * 4) / 2);
  });

  it("give a wanted value's gradient in float32, and free the copies that ops asked for", () => {
    const before = tf.memory().numTensors;
    const [x, ...weights] = INPUTS.map(({ values, shape }) => tf.tensor(values, [...shape])) as [
      tf.Tensor,
      ...tf.Tensor[],
    ];
    const tape = new Tape({ products });
    const given = weights.map((weight) => tape.constant(weight));
    const first = stretch(tape.parameter(x, true), given);
    const second = stretch(first, given);
    expect([first, second].map((value) => isNarrow((value as ValueNode).held))).toEqual([true, true]);
    expect(second.shape).toEqual([10, 12]);
    expect(second.tensor.shape).toEqual([10, 12]);
    const [gradient] = tape.backward(sum(second), [first]);
    expect(gradient!.shape).toEqual([10, 12]);
    expect(isNarrow(gradient!)).toBe(false);
    tf.dispose([gradient!, x, ...weights]);
    tape.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });
});
