import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";
import { useBackend } from "../../test/backends.js";
import {
  Tape,
  add,
  crossEntropy,
  embedding,
  gatherRows,
  insertRows,
  scatterRows,
  softmaxCrossEntropy,
  sum,
} from "../index.js";

describe.each(["cpu", "wasm"] as const)("rows on %s", (backend) => {
  it("takes no rows, no targets and no replacements as well as some", async () => {
    await useBackend(backend);
    const before = tf.memory().numTensors;
    const tensors = [tf.ones([4, 3]), tf.ones([5, 3]), tf.ones([2, 3])];
    const tape = new Tape();
    const [x, weight, spare] = tensors.map((tensor) => tape.parameter(tensor, true)) as [never, never, never];
    const none = new Int32Array(0);
    const picked = gatherRows(x, none);
    expect(picked.shape).toEqual([0, 3]);
    const replaced = scatterRows(x, none, gatherRows(spare, none));
    expect(replaced.shape).toEqual([4, 3]);
    expect(embedding(weight, none, [0]).shape).toEqual([0, 3]);
    const loss = add(crossEntropy(picked, weight, none), sum(replaced));
    expect(loss.tensor.dataSync()[0]).toBe(12);
    const gradients = tape.backward(loss, [x, weight, spare]);
    expect([...gradients[0]!.dataSync()]).toEqual(Array(12).fill(1));
    for (const gradient of gradients.slice(1))
      expect(gradient === null || gradient.dataSync().every((value) => value === 0)).toBe(true);
    expect(softmaxCrossEntropy(picked, none).tensor.dataSync()[0]).toBe(0);
    tf.dispose(gradients.filter((gradient) => gradient !== null));
    tape.dispose();
    tf.dispose(tensors);
    expect(tf.memory().numTensors).toBe(before);
  });

  it.each([
    ["an id beyond the rows", (tape: Tape, table: tf.Tensor) => embedding(tape.constant(table), Int32Array.of(4), [1])],
    ["a negative id", (tape: Tape, table: tf.Tensor) => gatherRows(tape.constant(table), Int32Array.of(-1))],
    [
      "ids that do not fill the shape",
      (tape: Tape, table: tf.Tensor) => embedding(tape.constant(table), Int32Array.of(1), [2]),
    ],
    [
      "a row that is replaced twice",
      (tape: Tape, table: tf.Tensor) =>
        scatterRows(tape.constant(table), Int32Array.of(1, 1), gatherRows(tape.constant(table), Int32Array.of(0, 1))),
    ],
    [
      "too few replacements",
      (tape: Tape, table: tf.Tensor) =>
        scatterRows(tape.constant(table), Int32Array.of(1, 2), gatherRows(tape.constant(table), Int32Array.of(0))),
    ],
    [
      "a row of values that is used twice",
      (tape: Tape, table: tf.Tensor) => insertRows([table], tape.constant(table), Int32Array.of(4, 5, 5, 7)),
    ],
    [
      "a row of values that is not used",
      (tape: Tape, table: tf.Tensor) => insertRows([table], tape.constant(table), Int32Array.of(4, 5, 0, 7)),
    ],
    [
      "an ignored target",
      (tape: Tape, table: tf.Tensor) =>
        crossEntropy(tape.constant(table), tape.constant(table), Int32Array.of(0, 1, 2, -100)),
    ],
  ] as const)("refuses %s", async (_, run) => {
    await useBackend(backend);
    const table = tf.ones([4, 3]);
    const tape = new Tape();
    expect(() => run(tape, table)).toThrow(expect.objectContaining({ code: "THAW_AUTOGRAD_SHAPE" }));
    tape.dispose();
    table.dispose();
  });
});
