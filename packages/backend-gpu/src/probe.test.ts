import * as tf from "@tensorflow/tfjs-core";
import { expect, test } from "vitest";
import { benchBackend } from "./bench.js";
import { diagnose } from "./diagnose.js";
import type { CommandResult, RunCommand } from "./install/command.js";
import { hasDevice } from "./install/cuda.js";
import { backendGpu } from "./plugin.js";
import { probeBackend } from "./probe.js";

const options = {
  name: "auto",
  tensorFloat32: false,
  kernels: true,
  projectFolder: "/nowhere",
  cacheFolder: "/nowhere",
} as const;
const answers =
  (result: Partial<CommandResult>): RunCommand =>
  async () => ({ exitCode: 0, stdout: "", stderr: "", ...result });

test("a backend starts if its process says so", async () => {
  const probe = await probeBackend(
    "wasm",
    options,
    answers({ stdout: 'noise\n{"starts":true,"description":"wasm","startMs":3}\n' }),
  );
  expect(probe).toEqual({ starts: true, description: "wasm", startMs: 3 });
});

test("a process that died is a backend that does not start", async () => {
  expect(
    await probeBackend("gpu", options, answers({ exitCode: 134, stderr: "libcudart.so.12: cannot open\n" })),
  ).toEqual({ starts: false, reason: "libcudart.so.12: cannot open" });
  expect(await probeBackend("gpu", options, answers({ exitCode: 134 }))).toEqual({
    starts: false,
    reason: "the process that tried it ended with code 134",
  });
});

test("says what runs and what would be faster, with the command", async () => {
  const run: RunCommand = async (command) => {
    if (command === "nvidia-smi") return { exitCode: 0, stdout: "GPU 0: NVIDIA H100\n", stderr: "" };
    if (command === "ldconfig")
      return { exitCode: 0, stdout: "\tlibcuda.so.1 (libc6,x86-64) => /lib/libcuda.so.1\n", stderr: "" };
    return { exitCode: 0, stdout: '{"starts":true,"description":"it","startMs":1}', stderr: "" };
  };
  const diagnosis = await diagnose(options, run);
  expect(diagnosis).toMatchObject({ chosen: "wasm", gpus: ["GPU 0: NVIDIA H100"], driver: "/lib/libcuda.so.1" });
  expect(diagnosis.faster[0]).toMatchObject({ name: "gpu", command: "thaw backend install --cuda" });
  expect(diagnosis.backends.map(({ name, isFound }) => [name, isFound])).toEqual([
    ["gpu", false],
    ["webgpu", false],
    ["native", false],
    ["wasm", true],
    ["cpu", true],
  ]);
});

test("takes a driver's library without a card for none", () => {
  expect(hasDevice(() => false)).toBe(false);
  expect(hasDevice((path) => path === "/dev/nvidiactl")).toBe(true);
});

test("measures the current backend and keeps no tensor", async () => {
  const hooks = await import("@thaw/core").then(({ createHooks }) => createHooks());
  backendGpu({ name: "wasm", cacheFolder: "/nowhere" }).apply!({ hooks } as never);
  await hooks.resolveBackend.promise({ settings: [], precision: "float32" });
  const before = tf.memory().numTensors;
  const speed = await benchBackend("plain2d", {
    secondsPerProduct: 0,
    products: [
      { name: "plain", a: [8, 4], b: [4, 8], flop: 512 },
      { name: "layer", a: [8, 4], b: [8, 4], isLayer: true, flop: 512 },
      { name: "transposed", a: [8, 4], b: [8, 4], transposeB: true, flop: 512 },
    ],
  });
  expect(speed.products).toHaveLength(3);
  for (const { gflops, share } of speed.products) expect(Math.min(gflops, share)).toBeGreaterThan(0);
  expect(Math.max(...speed.products.filter(({ name }) => name.endsWith("plain")).map(({ share }) => share))).toBe(1);
  expect(speed.operationMicroseconds).toBeGreaterThan(0);
  expect(speed.uploadGigabytesPerSecond).toBeGreaterThan(0);
  expect(tf.memory().numTensors).toBe(before);
});
