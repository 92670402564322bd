import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { SETUPS, useBackend } from "../../../test/backends.js";
import { randomInput, type Input } from "../../../test/numeric.js";
import { gatedDelta, Tape } from "../../index.js";

const HEADS = 2;
const KEY = 3;
const VALUE = 4;

interface Given {
  readonly q: Input;
  readonly k: Input;
  readonly v: Input;
  readonly decay: Input;
  readonly beta: Input;
}

function given(rows: number, seed = 1): Given {
  const between = (input: Input, map: (value: number) => number): Input => ({
    ...input,
    values: input.values.map(map),
  });
  const unit = (input: Input): Input => between(input, (value) => value / Math.sqrt(KEY));
  return {
    q: unit(randomInput([rows, HEADS * KEY], seed)),
    k: unit(randomInput([rows, HEADS * KEY], seed + 1)),
    v: randomInput([rows, HEADS * VALUE], seed + 2),
    decay: between(randomInput([rows, HEADS], seed + 3), (value) => -Math.abs(value) / 4),
    beta: between(randomInput([rows, HEADS], seed + 4), (value) => 1 / (1 + Math.exp(-value))),
  };
}

/** Row by row, in float64, as the paper has it. */
function recurrent(
  { q, k, v, decay, beta }: Given,
  offsets: readonly number[],
): { readonly output: number[]; readonly states: number[] } {
  const output: number[] = Array.from({ length: v.values.length }, () => 0);
  const states: number[] = [];
  for (let sample = 0; sample + 1 < offsets.length; sample++)
    for (let head = 0; head < HEADS; head++) {
      const state = Array.from({ length: KEY }, () => Array.from({ length: VALUE }, () => 0));
      for (let row = offsets[sample]!; row < offsets[sample + 1]!; row++) {
        const fade = Math.exp(decay.values[row * HEADS + head]!);
        const key = (at: number): number => k.values[(row * HEADS + head) * KEY + at]!;
        for (const line of state) for (let at = 0; at < VALUE; at++) line[at]! *= fade;
        for (let at = 0; at < VALUE; at++) {
          const known = state.reduce((sum, line, index) => sum + line[at]! * key(index), 0);
          const change = beta.values[row * HEADS + head]! * (v.values[(row * HEADS + head) * VALUE + at]! - known);
          for (const [index, line] of state.entries()) line[at]! += key(index) * change;
          output[(row * HEADS + head) * VALUE + at] = state.reduce(
            (sum, line, index) => sum + line[at]! * q.values[(row * HEADS + head) * KEY + index]!,
            0,
          );
        }
      }
      states.push(...state.flat());
    }
  return { output, states };
}

function run(tape: Tape, inputs: Given, offsets: readonly number[]): ReturnType<typeof gatedDelta> {
  const value = ({ values, shape }: Input) => tape.own(tf.tensor(values, [...shape]));
  const { q, k, v, decay, beta } = inputs;
  return gatedDelta(value(q), value(k), value(v), value(decay), value(beta), {
    headCount: HEADS,
    offsets: Int32Array.from(offsets),
  });
}

function expectClose(found: ArrayLike<number>, wanted: readonly number[], tolerance = 2e-5): void {
  expect(found.length).toBe(wanted.length);
  wanted.forEach((value, at) => expect(Math.abs(found[at]! - value)).toBeLessThan(tolerance));
}

describe.each(SETUPS)("the gated delta rule on $backend, $matmul", (setup) => {
  beforeAll(async () => {
    await useBackend(setup.backend, setup.simd);
  });

  it.each([
    ["one row", [0, 1]],
    ["several samples, one of them empty", [0, 5, 5, 12]],
    ["samples longer than a chunk", [0, 70, 200]],
  ])("is what it is row by row: %s", (_, offsets) => {
    const tape = new Tape({ matmul: setup.matmul });
    const inputs = given(offsets.at(-1)!);
    const { output, state } = run(tape, inputs, offsets);
    const wanted = recurrent(inputs, offsets);
    expectClose(output.tensor.dataSync(), wanted.output);
    expectClose(state.tensor.dataSync(), wanted.states);
    tape.dispose();
  });

  it("stays exact where all keys of a chunk are the same", () => {
    const tape = new Tape({ matmul: setup.matmul });
    const inputs = given(64);
    const same = {
      ...inputs,
      k: { ...inputs.k, values: inputs.k.values.map((_, at) => [0.6, -0.64, 0.48][at % KEY]!) },
      beta: { ...inputs.beta, values: inputs.beta.values.map(() => 0.999) },
      decay: { ...inputs.decay, values: inputs.decay.values.map(() => 0) },
    };
    expectClose(run(tape, same, [0, 64]).output.tensor.dataSync(), recurrent(same, [0, 64]).output, 1e-4);
    tape.dispose();
  });

  it("goes on from a state as if it had never stopped", () => {
    const tape = new Tape({ matmul: setup.matmul });
    const inputs = given(9);
    const part = ({ values, shape }: Input, from: number, to: number) => {
      const width = shape[1]!;
      return tape.own(tf.tensor(values.slice(from * width, to * width), [to - from, width]));
    };
    const { q, k, v, decay, beta } = inputs;
    const half = (from: number, to: number, initial?: ReturnType<typeof gatedDelta>["state"]) =>
      gatedDelta(part(q, from, to), part(k, from, to), part(v, from, to), part(decay, from, to), part(beta, from, to), {
        headCount: HEADS,
        offsets: Int32Array.of(0, to - from),
        ...(initial && { initial }),
      });
    const first = half(0, 6);
    const second = half(6, 9, first.state);
    expectClose(
      [...first.output.tensor.dataSync(), ...second.output.tensor.dataSync()],
      recurrent(inputs, [0, 9]).output,
    );
    tape.dispose();
  });

  it("refuses shapes that do not go together", () => {
    const tape = new Tape({ matmul: setup.matmul });
    expect(() => run(tape, given(4), [0, 5])).toThrow(
      expect.objectContaining({ code: "THAW_AUTOGRAD_SHAPE" }) as Error,
    );
    tape.dispose();
  });
});
