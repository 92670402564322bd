import * as tf from "@tensorflow/tfjs-core";
import { createHooks, silentLogger, type Trainer } from "@thaw/core";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import type { BackendOptions } from "./options.js";
import { backendGpu } from "./plugin.js";

const empty = mkdtempSync(join(tmpdir(), "thaw-backend-"));
afterAll(() => rmSync(empty, { recursive: true }));

/** The part of a trainer that the plugin touches. */
function trainerWith(options: BackendOptions) {
  const warnings: string[] = [];
  const trainer = {
    hooks: createHooks(),
    logger: { ...silentLogger, warn: (line: unknown) => warnings.push(String(line)) },
  };
  backendGpu(options).apply!(trainer as unknown as Trainer);
  return { resolve: () => trainer.hooks.resolveBackend.promise({ settings: [], precision: "float32" }), warnings };
}

test("starts wasm without anything installed, and multiplies on it", async () => {
  const { resolve } = trainerWith({ name: "wasm", cacheFolder: empty });
  expect(await resolve()).toMatchObject({ name: "wasm", matmul: "plain2d" });
  expect(tf.getBackend()).toBe("wasm");
  const before = tf.memory().numTensors;
  const product = tf.tidy(() => tf.matMul(tf.tensor2d([[1, 2]]), tf.tensor2d([[3], [4]])).dataSync()[0]);
  expect(product).toBe(11);
  expect(tf.memory().numTensors).toBe(before);
});

test("starts cpu after wasm in one process, and wasm again", async () => {
  expect(await trainerWith("cpu").resolve()).toMatchObject({ name: "cpu", matmul: "flags" });
  expect(tf.getBackend()).toBe("cpu");
  await trainerWith("wasm").resolve();
  expect(tf.getBackend()).toBe("wasm");
});

test("a missing backend that was named is an error with the command", async () => {
  await expect(
    trainerWith({ name: "native", cacheFolder: empty, projectFolder: empty }).resolve(),
  ).rejects.toMatchObject({
    code: "THAW_BACKEND_MISSING",
    details: { command: "thaw backend install" },
  });
});

test("refuses an unknown name and an unknown key", () => {
  expect(() => backendGpu("cuda" as "gpu")).toThrow(/BackendGpuPlugin/);
  expect(() => backendGpu({ nam: "gpu" } as never)).toThrow(/BackendGpuPlugin/);
});

test("needs no options", () => {
  expect(backendGpu()).toMatchObject({ name: "BackendGpuPlugin", configKey: "backend", settings: [] });
});
