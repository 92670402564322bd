import * as tf from "@tensorflow/tfjs-core";
import { expect } from "vitest";
import type { MatmulStrategy, Value } from "../src/index.js";
import { Tape, mul, sum } from "../src/index.js";
import { sizeOf } from "../src/kernels/broadcast.js";
import { mulberry32 } from "../src/ops/dropout.js";

/** A float32 input of a case: values and shape. */
export interface Input {
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

/** Reproducible normal numbers. */
export function randomInput(shape: readonly number[], seed: number, scale = 1): Input {
  const next = mulberry32(seed);
  const size = sizeOf(shape);
  return {
    shape,
    values: Float32Array.from(
      { length: size },
      () => scale * Math.sqrt(-2 * Math.log(next() + 1e-12)) * Math.cos(2 * Math.PI * next()),
    ),
  };
}

/** An op under test: a function of values; what else it needs lies in its closure. */
export type Case = (values: readonly Value[], tape: Tape) => Value;

export interface Evaluation {
  readonly output: Float32Array;
  readonly gradients: (Float32Array | null)[];
}

/**
 * Output of a case, and gradients of `sum(output * direction)` with respect to the inputs whose flag is set. Guards
 * against leaks.
 */
export function evaluate(
  run: Case,
  inputs: readonly Input[],
  needs: readonly boolean[],
  direction: Float32Array | null,
  matmul: MatmulStrategy,
): Evaluation {
  const before = tf.memory().numTensors;
  const tensors = inputs.map((input) => tf.tensor(input.values, [...input.shape]));
  const tape = new Tape({ matmul });
  const values = tensors.map((tensor, index) => tape.parameter(tensor, needs[index] as boolean));
  const output = run(values, tape);
  const result = output.tensor.dataSync().slice() as Float32Array;
  const weights = tf.tensor(direction ?? new Float32Array(result.length).fill(1), [...output.shape]);
  const loss = sum(mul(output, tape.constant(weights)));
  const found = tape.backward(loss, values);
  const gradients = found.map((gradient) => (gradient === null ? null : (gradient.dataSync().slice() as Float32Array)));
  for (const [index, gradient] of found.entries())
    if (gradient !== null) expect(gradient.shape).toEqual(inputs[index]?.shape);
  tape.dispose();
  tf.dispose([...tensors, weights, ...found.filter((gradient) => gradient !== null)]);
  expect(tf.memory().numTensors).toBe(before);
  return { output: result, gradients };
}

/** Largest difference relative to the largest expected magnitude (at least `floor`). */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>, floor = 1e-3): number {
  expect(actual.length).toBe(expected.length);
  let difference = 0;
  let largest = floor;
  for (let index = 0; index < expected.length; index += 1) {
    difference = Math.max(difference, Math.abs((actual[index] as number) - (expected[index] as number)));
    largest = Math.max(largest, Math.abs(expected[index] as number));
  }
  return difference / largest;
}

/**
 * Compares every gradient with central differences of the summed output, along random directions, and checks that each
 * input alone gives the same gradient as all together.
 */
export function checkGradients(
  run: Case,
  inputs: readonly Input[],
  matmul: MatmulStrategy = "flags",
  tolerance = 2e-2,
): void {
  const none = inputs.map(() => false);
  const size = evaluate(run, inputs, none, null, matmul).output.length;
  const direction = randomInput([size], 977).values;
  const all = evaluate(
    run,
    inputs,
    inputs.map(() => true),
    direction,
    matmul,
  );
  const valueAt = (moved: readonly Input[]): number => {
    const { output } = evaluate(run, moved, none, direction, matmul);
    return output.reduce((total, value, index) => total + value * (direction[index] as number), 0);
  };
  inputs.forEach((input, index) => {
    const alone = evaluate(
      run,
      inputs,
      none.map((_, other) => other === index),
      direction,
      matmul,
    );
    expect(alone.gradients.map((gradient) => gradient !== null)).toEqual(none.map((_, other) => other === index));
    expect(relativeError(alone.gradients[index] as Float32Array, all.gradients[index] as Float32Array)).toBeLessThan(
      1e-5,
    );
    for (const seed of [11, 12, 13]) {
      const along = randomInput(input.shape, seed).values;
      const step = 1e-2;
      const shifted = (sign: number): Input[] =>
        inputs.map((other, at) =>
          at === index
            ? { ...other, values: other.values.map((value, i) => value + sign * step * (along[i] as number)) }
            : other,
        );
      const expected = (valueAt(shifted(1)) - valueAt(shifted(-1))) / (2 * step);
      const actual = (all.gradients[index] as Float32Array).reduce(
        (total, value, i) => total + value * (along[i] as number),
        0,
      );
      expect(Math.abs(actual - expected)).toBeLessThan(tolerance * Math.max(1, Math.abs(expected)));
    }
  });
}
