import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import { runningTap } from "@thaw/contracts";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { tapped, toyTrainer } from "../toy/toy-trainer.js";
import { toySource } from "../toy/toy-source.js";
import { RESULT_CHECKS } from "./tap-results.js";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

let tensors = 0;
let output = "";
beforeAll(async () => {
  await tf.setBackend("cpu");
});
beforeEach(() => {
  tensors = tf.memory().numTensors;
  output = mkdtempSync(join(tmpdir(), "thaw-results-"));
});
afterEach(() => {
  rmSync(output, { recursive: true });
  expect(tf.memory().numTensors).toBe(tensors);
});

type AnyHook = { tap(name: string, fn: (...given: unknown[]) => unknown): void };

/** Runs with a plugin that returns this from a hook, behind and before plugins that return what they are given. */
async function returning(hook: string, result: (given: unknown) => unknown): Promise<unknown> {
  const pass = (name: string) =>
    tapped(name, ({ hooks }) => {
      hooks.checkpoint.tap(name, (state) => ({ ...state, [name]: 1 }));
      for (const one of ["batch", "gradients", "loss", "scope"] as const)
        (hooks[one] as unknown as AnyHook).tap(name, (given) => given);
    });
  const bad = tapped("Bad", ({ hooks }) => {
    (hooks as unknown as Record<string, AnyHook>)[hook]!.tap("Bad", (given) => result(given));
  });
  const trainer = toyTrainer({
    output,
    ...(hook === "resolveEnsemble" && { processes: 2 }),
    data: { train: toySource(), evaluation: { held: toySource() } },
    training: { maxSteps: 2, epochs: undefined, saveEverySteps: 1 },
    plugins: [pass("First"), bad, pass("Last")],
  });
  return trainer.run().catch((error: unknown) => error);
}

const named = (hook: string, code = "THAW_CORE_TAP_RETURNED_WRONG"): unknown => ({
  code,
  details: expect.objectContaining({ plugin: "Bad", hook }) as unknown,
});

describe("a tap that returns what its hook has no use for", () => {
  it.each(
    Object.keys(RESULT_CHECKS)
      .filter((hook) => hook !== "exported")
      .flatMap((hook) => [null, 42, "x", {}, [42]].map((value) => [hook, value] as const)),
  )("is named: %s, %j", async (hook, value) => {
    expect(await returning(hook, () => value)).toMatchObject(named(hook) as object);
  });

  it.each([
    ["a shape", (given: tf.Tensor) => tf.zeros([...given.shape, 1])],
    ["a dtype", (given: tf.Tensor) => tf.zeros(given.shape, "int32")],
    [
      "a disposed tensor",
      (given: tf.Tensor) => {
        const other = tf.zeros(given.shape);
        other.dispose();
        return other;
      },
    ],
  ])("is named: gradients of %s", async (_, wrong) => {
    const result = await returning(
      "gradients",
      (given) => new Map([...(given as Map<string, tf.Tensor>)].map(([name, value]) => [name, wrong(value)])),
    );
    expect(result).toMatchObject(named("gradients") as object);
  });

  it.each([
    ["tokenIds of another length", { tokenIds: new Int32Array(1) }],
    ["labels that are a list", { labels: [1, 2] }],
    ["no media", { media: undefined }],
    ["an output without rows", { segmentOutputs: { tower: 5 } }],
  ])("is named: a batch with %s", async (_, change) => {
    const result = await returning("batch", (given) => ({ ...(given as object), ...change }));
    expect(result).toMatchObject(named("batch") as object);
  });

  it.each([
    ["drops another's", () => ({})],
    ["holds a Map", (given: object) => ({ ...given, Bad: { seen: new Map() } })],
    ["holds what is not a number", (given: object) => ({ ...given, Bad: { best: NaN } })],
    [
      "holds itself",
      (given: object) => {
        const state: Record<string, unknown> = {};
        state["own"] = state;
        return { ...given, Bad: state };
      },
    ],
  ])("is named: a checkpoint state that %s", async (_, result) => {
    const trainer = toyTrainer({
      output,
      training: { maxSteps: 1, epochs: undefined, saveEverySteps: 1 },
      plugins: [
        tapped("Good", ({ hooks }) => hooks.checkpoint.tap("Good", (state) => ({ ...state, Good: { n: 1 } }))),
        tapped("Bad", ({ hooks }) => hooks.checkpoint.tap("Bad", result as never)),
      ],
    });
    await expect(trainer.run()).rejects.toMatchObject(named("checkpoint") as object);
  });
});

it("names a plugin whose apply is async, and the one that runs while it is applied", () => {
  let seen: unknown;
  expect(() =>
    toyTrainer({
      plugins: [
        tapped("Looks", () => {
          seen = runningTap();
        }),
        tapped("Bad", (async () => {}) as never),
      ],
    }),
  ).toThrow(expect.objectContaining(named("apply", "THAW_CORE_PLUGIN_FAILED") as object) as Error);
  expect(seen).toEqual({ plugin: "Looks", hook: "apply" });
  expect(runningTap()).toBeUndefined();
});

it("ends a run that failed outside of hooks, with the state of the last whole step", async () => {
  const lost = new Error("of a timer");
  const trainer = toyTrainer({
    output,
    plugins: [
      tapped("Timer", (own) =>
        own.hooks.afterStep.tap("Timer", ({ step }) => {
          if (step === 1) own.fail(lost);
        }),
      ),
    ],
  });
  let told: unknown;
  trainer.hooks.failed.tap("Test", (context) => {
    told = context;
  });
  await expect(trainer.run()).rejects.toBe(lost);
  expect(told).toMatchObject({ error: lost, saved: { step: 2 } });
});
