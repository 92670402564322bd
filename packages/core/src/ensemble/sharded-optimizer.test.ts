import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { adamw } from "../optimizers/adamw.js";
import type { SavedTensor } from "../checkpoint/write-checkpoint.js";
import { memoryEnsembles } from "./memory-ensemble.js";
import { ShardedOptimizer } from "./sharded-optimizer.js";

beforeAll(async () => {
  await tf.setBackend("cpu");
});

const SHAPES: Readonly<Record<string, readonly number[]>> = { a: [30], b: [10, 2], c: [3, 3], d: [1] };
const PARAMETERS = Object.entries(SHAPES).map(([name, shape]) => ({ name, shape, dtype: "F32" as const }));

function sharded(size: number) {
  return memoryEnsembles(size).map((ensemble) => {
    const options = adamw.schema.parse({});
    const making = { parameter: (name: string) => ({ name, shape: SHAPES[name]!, isTable: false }) };
    return { ensemble, optimizer: new ShardedOptimizer(adamw.make(options, making), ensemble, PARAMETERS) };
  });
}

const CONTEXT = { step: 0, updatesOf: () => 0, rates: () => ({ learningRate: 0.1, weightDecay: 0 }) };

describe("an optimizer shared out", () => {
  it("keeps on each rank the moments of its part, evenly, and writes those of all one after the other", async () => {
    const before = tf.memory().numTensors;
    const ranks = sharded(2);
    const values = new Map(PARAMETERS.map(({ name, shape }) => [name, tf.keep(tf.ones([...shape]))]));
    for (const { optimizer } of ranks) optimizer.prepare(values, CONTEXT);
    const bytes = ranks.map(({ optimizer }) =>
      [...optimizer.slots().values()].reduce((sum, { size }) => sum + 4 * size, 0),
    );
    expect(bytes).toEqual([240, 240]);
    const held = tf.memory().numTensors;
    const written = new Map<string, readonly number[]>();
    const write = async (slots: ReadonlyMap<string, SavedTensor>): Promise<void> => {
      for (const [name, slot] of slots) {
        const data = await slot.data();
        expect(data.length).toBe(tf.util.sizeFromShape([...slot.shape]));
        written.set(name, slot.shape);
      }
    };
    const saves = (isDue: boolean) =>
      Promise.all(ranks.map(({ optimizer }, rank) => optimizer.save(isDue && rank === 0, write)));
    await saves(false);
    expect(written.size).toBe(0);
    await saves(true);
    expect(Object.fromEntries(written)).toEqual(
      Object.fromEntries(PARAMETERS.flatMap(({ name, shape }) => ["m", "v"].map((slot) => [`${name}/${slot}`, shape]))),
    );
    // A folder that is there already is not written again: others are not left waiting
    await Promise.all(ranks.map(({ optimizer }) => optimizer.save(true, async () => undefined)));
    expect(tf.memory().numTensors).toBe(held);
    for (const { optimizer } of ranks) optimizer.dispose();
    tf.dispose([...values.values()]);
    expect(tf.memory().numTensors).toBe(before);
  });
});
