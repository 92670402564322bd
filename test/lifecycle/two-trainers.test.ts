import * as tf from "@tensorflow/tfjs-core";
import { backendGpu } from "@thaw/backend-gpu";
import { Trainer, type RunSummary } from "@thaw/core";
import { freezePolicy } from "@thaw/plugin-freeze-policy";
import { projectorOnly } from "@thaw/plugin-projector-only";
import { tinyTrainerOptions } from "@thaw/testing";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";

type Name = "cpu" | "wasm" | "auto";

let tensors = 0;
let listeners: readonly number[] = [];
const EVENTS = [
  "beforeExit",
  "exit",
  "SIGINT",
  "SIGTERM",
  "SIGHUP",
  "uncaughtException",
  "unhandledRejection",
] as const;
const listenerCounts = (): readonly number[] => EVENTS.map((event) => process.listenerCount(event));

beforeAll(async () => {
  await run("cpu", 1);
  await run("wasm", 1);
});
beforeEach(() => {
  tensors = tf.memory().numTensors;
  listeners = listenerCounts();
});
afterEach(() => {
  expect(tf.memory().numTensors).toBe(tensors);
  expect(listenerCounts()).toEqual(listeners);
});

function trainer(backend: Name, seed: number): { readonly trainer: Trainer; readonly losses: number[] } {
  const losses: number[] = [];
  const made = new Trainer(
    tinyTrainerOptions({
      plugins: [freezePolicy({ trainMmProjOnly: true }), projectorOnly(), backendGpu(backend)],
      training: { maxSteps: 4, microBatchSize: 4, learningRate: 0.02 * seed },
      seed,
    }),
  );
  made.hooks.afterStep.tap("Losses", ({ loss }) => {
    losses.push(loss);
  });
  return { trainer: made, losses };
}

async function run(backend: Name, seed: number): Promise<{ readonly losses: number[]; readonly summary: RunSummary }> {
  const { trainer: made, losses } = trainer(backend, seed);
  return { summary: await made.run(), losses };
}

describe("two trainers of one process", () => {
  it.each(["cpu", "wasm"] as const)("start at once on %s, and each gives what it gives alone", async (backend) => {
    const alone = [await run(backend, 1), await run(backend, 2)];
    expect(alone[0]!.losses).not.toEqual(alone[1]!.losses);
    const together = await Promise.all([run(backend, 1), run(backend, 2), run(backend, 1)]);
    expect(together.map(({ losses }) => losses)).toEqual([alone[0]!.losses, alone[1]!.losses, alone[0]!.losses]);
  });

  it.each([
    ["cpu", "wasm"],
    ["wasm", "cpu"],
  ] as const)("with %s and %s: the second is refused by name, the first is as alone", async (first, second) => {
    const alone = await run(first, 1);
    const [one, two] = await Promise.allSettled([run(first, 1), run(second, 2)]);
    expect(one).toMatchObject({ status: "fulfilled", value: { losses: alone.losses } });
    expect(two).toMatchObject({
      status: "rejected",
      reason: { code: "THAW_CORE_BACKEND_IN_USE", details: { wanted: second, inUse: first } },
    });
    expect((await run(second, 2)).losses).toHaveLength(4);
  });

  it("lets auto take what is in use, and an open session keep it until it is closed", async () => {
    const session = await trainer("cpu", 1).trainer.open();
    await expect(run("wasm", 1)).rejects.toMatchObject({ code: "THAW_CORE_BACKEND_IN_USE" });
    const { losses } = await run("auto", 1);
    expect(tf.getBackend()).toBe("cpu");
    expect(losses).toEqual((await run("cpu", 1)).losses);
    await session.close();
    expect((await run("wasm", 1)).losses).toHaveLength(4);
  });

  it("brings back what is in use where a plugin took it away without asking", async () => {
    const alone = await run("cpu", 1);
    const first = trainer("cpu", 1);
    const rude = trainer("cpu", 2).trainer;
    rude.hooks.resolveBackend.tapPromise({ name: "Rude", stage: -1000 }, async () => {
      await tf.setBackend("wasm");
      return { name: "wasm", description: "rude", matmul: "plain2d" };
    });
    const session = await first.trainer.open();
    await expect(rude.run()).rejects.toMatchObject({ code: "THAW_CORE_BACKEND_IN_USE" });
    expect(tf.getBackend()).toBe("cpu");
    await session.close();
    expect((await run("cpu", 1)).losses).toEqual(alone.losses);
  });
});
