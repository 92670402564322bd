import type { AsyncSeriesWaterfallHook } from "tapable";
import { createHooks } from "../api/hooks.js";
import { HookWatch } from "./intercept.js";
import * as tf from "@tensorflow/tfjs-core";
import { ThawError } from "@thaw/contracts";
import { describe, expect, it } from "vitest";
import { STAGE_EARLY, STAGE_LATE } from "../api/hooks.js";
import { tapped, toyTrainer, trainOnly } from "../toy/toy-trainer.js";
import type { Trainer } from "./trainer.js";
import { useToyTensors } from "../toy/toy-tensors.js";

useToyTensors();

const failing = async (apply: (trainer: Trainer) => void) => {
  const trainer = toyTrainer({ plugins: [tapped("Bad", apply)] });
  const events: unknown[] = [];
  trainer.hooks.failed.tap("Test", ({ error, ...rest }) => {
    events.push(rest, error);
  });
  trainer.hooks.shutdown.tap("Test", () => {
    events.push("shutdown");
  });
  const error = (await trainer.run().catch((thrown: unknown) => thrown)) as ThawError;
  expect(events.at(-1)).toBe("shutdown");
  expect(events[1]).toBe(error);
  return { error, failed: events[0] };
};

describe("taps", () => {
  it("gain plugin, hook and step in their errors, the cause attached", async () => {
    const cause = new RangeError("no such thing");
    const { error, failed } = await failing(({ hooks }) => {
      hooks.afterStep.tap("Bad", ({ step }) => {
        if (step === 1) throw cause;
      });
    });
    expect(error).toMatchObject({
      code: "THAW_CORE_PLUGIN_FAILED",
      details: { plugin: "Bad", hook: "afterStep", step: 1 },
    });
    expect(error.cause).toBe(cause);
    expect(error.message).toMatch(
      /^The plugin Bad failed: no such thing\. In hook afterStep, step 2, \/.*intercept\.test\.ts:\d+:\d+\. Fix or/,
    );
    expect(failed).toEqual({ plugin: "Bad", hook: "afterStep", step: 1 });
  });

  it("keep code and message of a ThawError", async () => {
    const own = new ThawError("THAW_OTHER_THING", "What. Where. What to do.", { details: { file: "x" } });
    const { error } = await failing(({ hooks }) => {
      hooks.initialize.tapPromise("Bad", () => Promise.reject(own));
    });
    expect(error).toMatchObject({
      code: "THAW_OTHER_THING",
      message: own.message,
      details: { file: "x", plugin: "Bad", hook: "initialize" },
      cause: own,
    });
  });

  it("are refused by name when a waterfall tap returns nothing", async () => {
    const { error } = await failing(({ hooks }) => {
      hooks.batch.tap("Bad", () => undefined as never);
    });
    expect(error).toMatchObject({ code: "THAW_CORE_TAP_RETURNED_NOTHING", details: { plugin: "Bad", hook: "batch" } });
  });

  it.each(
    Object.entries(createHooks())
      .filter(([, hook]) => hook.constructor.name.includes("Waterfall"))
      .map(([name]) => name),
  )("are refused by name when a tap of the waterfall %s returns nothing", async (name) => {
    const hooks = createHooks();
    const watch = new HookWatch(hooks);
    const hook = hooks[name as "scope"];
    if (hook.constructor.name.startsWith("Async"))
      (hook as unknown as AsyncSeriesWaterfallHook<[unknown]>).tapPromise("Bad", () => Promise.resolve(undefined));
    else hook.tap("Bad", () => undefined as never);
    expect(watch.describe().map(({ plugin }) => plugin)).toEqual(["Bad"]);
    const call = async (): Promise<unknown> =>
      hook.constructor.name.startsWith("Async")
        ? (hook as unknown as AsyncSeriesWaterfallHook<[unknown]>).promise({})
        : hook.call({} as never, {} as never);
    await expect(call()).rejects.toMatchObject({
      code: "THAW_CORE_TAP_RETURNED_NOTHING",
      details: { plugin: "Bad", hook: name },
    });
  });

  it("are refused by name when an async function is given to tap: when it is tapped, or once it answers", async () => {
    const refusal = { code: "THAW_CORE_TAP_ASYNC", details: { plugin: "Bad", hook: "beforeStep" } };
    expect(() =>
      toyTrainer({ plugins: [tapped("Bad", ({ hooks }) => hooks.beforeStep.tap("Bad", (async () => {}) as never))] }),
    ).toThrow(expect.objectContaining(refusal));
    const { error } = await failing(({ hooks }) => {
      hooks.beforeStep.tap("Bad", (() => Promise.resolve()) as never);
    });
    expect(error).toMatchObject(refusal);
  });

  it.each([
    [
      "adds a gradient for",
      (trainer: Trainer) => {
        trainer.hooks.gradients.tap(
          "Bad",
          (gradients) => new Map([...gradients, ["tower.linear.bias", tf.zeros([3])]]),
        );
      },
      "tower.linear.bias",
    ],
    [
      "drops a gradient of",
      (trainer: Trainer) => {
        trainer.hooks.gradients.tap("Bad", (gradients) => new Map([...gradients].slice(1)));
      },
      "projector.linear.weight",
    ],
  ])("are refused by name when one %s what the plan says", async (_, apply, name) => {
    const trainer = toyTrainer({ plugins: [trainOnly([0, ["projector"]]), tapped("Bad", apply)] });
    await expect(trainer.run()).rejects.toMatchObject({
      code: "THAW_CORE_TRAINABILITY_CHANGED",
      details: { plugin: "Bad", hook: "gradients", names: [name] },
    });
  });

  it("are refused by name when one writes to the fixed plan", async () => {
    const { error } = await failing(({ hooks }) => {
      hooks.beforeRun.tap("Bad", ({ plan }) => {
        (plan.phases[0]!.entries as unknown[]).pop();
      });
    });
    expect(error).toMatchObject({ code: "THAW_CORE_PLUGIN_FAILED", details: { plugin: "Bad", hook: "beforeRun" } });
    expect(error.cause).toBeInstanceOf(TypeError);
  });

  it("that write to a borrowed frozen tensor are found at the end", async () => {
    const { error } = await failing(({ hooks }) => {
      hooks.plan.tap("Bad", (plan) => ({
        phases: [
          {
            fromStep: 0,
            entries: plan.phases[0]!.entries.map((entry) => ({ ...entry, trainable: entry.component === "projector" })),
          },
        ],
      }));
      hooks.loss.tap("Bad", (loss, { scope }) => {
        // On the cpu backend this is the tensor's own memory
        scope.parameter("tower.linear.bias").tensor.dataSync()[0] = 42;
        return loss;
      });
    });
    expect(error).toMatchObject({ code: "THAW_CORE_FROZEN_MOVED", details: { names: ["tower.linear.bias"] } });
  });

  it("that never settle are named when nothing else is left to do", async () => {
    const promise = failing(({ hooks }) => {
      hooks.beforeRun.tapPromise("Bad", () => new Promise(() => {}));
    });
    await new Promise((resolve) => {
      setTimeout(resolve, 300);
    });
    process.emit("beforeExit", 0);
    expect((await promise).error).toMatchObject({
      code: "THAW_CORE_TAP_NEVER_SETTLED",
      details: { plugin: "Bad", hook: "beforeRun" },
    });
  });

  it("of a data source that never settles end the run, too", async () => {
    const trainer = toyTrainer({
      data: {
        train: {
          name: "stuck",
          sampleCount: 3,
          augmentations: [],
          batches: () => ({ [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => {}) }) }),
          close: async () => {},
        },
      },
    });
    const promise = trainer.run().catch((error: unknown) => error);
    await new Promise((resolve) => {
      setTimeout(resolve, 300);
    });
    process.emit("beforeExit", 0);
    expect(await promise).toMatchObject({ code: "THAW_CORE_RUN_STALLED" });
  });

  it("run in stage order, whatever their form, and are described with counts and times", async () => {
    const order: string[] = [];
    const trainer = toyTrainer({
      training: { maxSteps: 2 },
      plugins: [
        tapped("Order", ({ hooks }) => {
          hooks.afterStep.tapAsync({ name: "Late", stage: STAGE_LATE }, (_, done) => {
            order.push("late");
            done();
          });
          hooks.afterStep.tapPromise("Middle", async () => {
            order.push("middle");
          });
          hooks.afterStep.tap({ name: "Early", stage: STAGE_EARLY }, () => {
            order.push("early");
          });
        }),
      ],
    });
    await trainer.run();
    expect(order).toEqual(["early", "middle", "late", "early", "middle", "late"]);
    expect(
      trainer.describeHooks().map(({ hook, plugin, stage, callCount }) => [hook, plugin, stage, callCount]),
    ).toEqual([
      ["afterStep", "Early", -100, 2],
      ["afterStep", "Middle", 0, 2],
      ["afterStep", "Late", 100, 2],
    ]);
    expect(trainer.describeHooks().every(({ durationMs }) => durationMs > 0)).toBe(true);
  });

  it("that fail while cleaning up do not hide the first error", async () => {
    const trainer = toyTrainer({
      plugins: [
        tapped("Bad", ({ hooks }) => {
          hooks.beforeRun.tap("Bad", () => {
            throw new Error("first");
          });
          hooks.failed.tap("Bad", () => {
            throw new Error("second");
          });
        }),
      ],
    });
    await expect(trainer.run()).rejects.toThrow("first");
  });
});
