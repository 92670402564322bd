import * as tf from "@tensorflow/tfjs-core";
import { expect, it } from "vitest";
import { useBackend } from "../../test/backends.js";
import { joinColumns, splitColumns, Tape } from "../index.js";

const COLUMNS = [
  { name: "end", width: 2 },
  { name: "deep", width: 1 },
] as const;

it("takes columns apart that were joined, and refuses others", async () => {
  await useBackend("cpu");
  const before = tf.memory().numTensors;
  const tape = new Tape();
  const [end, deep, long] = [[3, 2] as const, [3, 1] as const, [4, 1] as const].map((shape, index) =>
    tape.own(tf.fill([...shape], index + 1)),
  ) as [never, never, never];
  const joined = joinColumns(COLUMNS, { end, deep });
  expect([...joined.tensor.dataSync()]).toEqual([1, 1, 2, 1, 1, 2, 1, 1, 2]);
  const parts = splitColumns(COLUMNS, joined);
  expect([[...parts.end.tensor.dataSync()], parts.deep.shape]).toEqual([
    [1, 1, 1, 1, 1, 1],
    [3, 1],
  ]);
  expect(splitColumns(COLUMNS.slice(0, 1), end).end).toBe(end);
  expect(() => joinColumns(COLUMNS, { end: deep, deep })).toThrow("end has shape [3, 1]");
  expect(() => joinColumns(COLUMNS, { end, deep: long })).toThrow("declared as [3, 1]");
  expect(() => splitColumns(COLUMNS, end)).toThrow("end (2), deep (1) are 3 columns");
  tape.dispose();
  expect(tf.memory().numTensors).toBe(before);
});
