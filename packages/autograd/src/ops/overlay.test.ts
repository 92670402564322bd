import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";
import { useBackend } from "../../test/backends.js";
import {
  add,
  crossEntropy,
  embedding,
  packBfloat16,
  scatterRows,
  simulatedBfloat16,
  square,
  sum,
  Tape,
  unpackBfloat16,
  type Value,
} from "../index.js";

const numbers = (count: number, phase: number): Float32Array =>
  Float32Array.from({ length: count }, (_, index) => Math.sin(3 * index + phase));
const IDS = Int32Array.of(1, 4, 4, 0, 6, 1);
const ROWS = Int32Array.of(6, 4, 2);
const TARGETS = Int32Array.of(0, 4, 5, 2, 6, 4);

/** Loss that uses the matrix as embedding and as output layer, as a tied model does. */
const lossOf = (table: Value): Value => {
  const x = embedding(table, IDS, [2, 3]);
  return add(sum(square(x)), crossEntropy(embedding(table, IDS, [6]), table, TARGETS, { labelSmoothing: 0.1 }));
};

describe.each(["cpu", "wasm"] as const)("a frozen matrix with rows that train, on %s", (backend) => {
  it("gives the rows the gradient that they have in the whole matrix", async () => {
    await useBackend(backend);
    const before = tf.memory().numTensors;
    const base = tf.tensor2d(numbers(28, 1), [7, 4]);
    const values = tf.gather(base, tf.tensor1d([...ROWS], "int32"));
    const [whole, apart] = [new Tape(), new Tape()];
    const full = whole.parameter(base, true);
    const [wanted] = whole.backward(lossOf(full), [full]);
    const rows = apart.parameter(values, true);
    const loss = lossOf(scatterRows(apart.parameter(base, false), ROWS, rows));
    const [got] = apart.backward(loss, [rows]);
    const [expected, actual] = [wanted!.dataSync(), got!.dataSync()];
    for (const [index, row] of ROWS.entries())
      for (let column = 0; column < 4; column++)
        expect(actual[index * 4 + column]).toBeCloseTo(expected[row * 4 + column]!, 5);
    whole.dispose();
    apart.dispose();
    tf.dispose([base, values, wanted!, got!]);
    expect(tf.memory().numTensors - before).toBeLessThanOrEqual(1); // the indices of `values`
  });

  it("may have a base in bfloat16", async () => {
    await useBackend(backend);
    const before = tf.memory().numTensors;
    const { words } = packBfloat16(numbers(28, 1));
    const tensors = [
      tf.tensor2d(unpackBfloat16(words, 28), [7, 4]),
      tf.tensor2d(words, [7, 2]),
      tf.tensor2d(numbers(12, 2), [3, 4]),
    ] as const;
    const gradientOf = async (base: (tape: Tape) => Value): Promise<Float32Array> => {
      const tape = new Tape();
      const rows = tape.parameter(tensors[2], true);
      const [gradient] = tape.backward(lossOf(scatterRows(base(tape), ROWS, rows)), [rows]);
      const values = (await gradient!.data<"float32">()).slice();
      gradient!.dispose();
      tape.dispose();
      return values;
    };
    const [wide, packed] = [
      await gradientOf((tape) => tape.parameter(tensors[0], false)),
      await gradientOf((tape) => tape.packedParameter({ words: tensors[1], shape: [7, 4] }, simulatedBfloat16())),
    ];
    for (const [index, value] of packed.entries()) expect(value).toBeCloseTo(wide[index]!, 5);
    tf.dispose([...tensors]);
    expect(tf.memory().numTensors).toBe(before);
  });

  it("makes no gradient of the size of the matrix", async () => {
    await useBackend(backend);
    const [vocabulary, hidden] = [4000, 8];
    const base = tf.zeros([vocabulary, hidden]);
    const values = tf.ones([2, hidden]);
    const tape = new Tape();
    const rows = tape.parameter(values, true);
    const loss = tape.tidy(() =>
      sum(embedding(scatterRows(tape.parameter(base, false), Int32Array.of(1, 3), rows), IDS, [6])),
    );
    const held = tf.memory().numBytes;
    const gradients: (tf.Tensor | null)[] = [];
    const { peakBytes } = await tf.profile(() => {
      gradients.push(...tape.backward(loss, [rows]));
    });
    const [gradient] = gradients;
    expect(gradient!.shape).toEqual([2, hidden]);
    expect([...gradient!.dataSync()]).toEqual([...Array<number>(hidden).fill(2), ...Array<number>(hidden).fill(0)]);
    expect(peakBytes - held).toBeLessThan(4 * vocabulary * hidden);
    tape.dispose();
    tf.dispose([base, values, gradient!]);
  });
});
