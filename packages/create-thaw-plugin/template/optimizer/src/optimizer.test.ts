import "@tensorflow/tfjs-backend-cpu";
import { setBackend, tensor1d, tidy } from "@tensorflow/tfjs-core";
import { API_VERSION, definePlugin } from "@thaw/core";
import { conformance } from "@thaw/testing";
import { beforeAll, expect, it } from "vitest";
import { optimizer } from "./optimizer.js";

const optimizing = definePlugin({
  name: "OptimizingPlugin",
  apiVersion: API_VERSION,
  provides: { optimizers: [optimizer] },
});

beforeAll(async () => {
  await setBackend("cpu");
});

// On runs that train with it: it leaks no tensor, and a resumed run ends like one that never stopped.
const training = { maxSteps: 6, optimizer: { type: "my-plugin" } as const };
for (const { name, run } of conformance(optimizing, { trainer: () => ({ training }) })) it(name, run);

it("moves each value by the learning rate, against its gradient", () => {
  const made = optimizer.make(optimizer.schema.parse({ type: "my-plugin" }), {
    parameter: (name) => ({ name, shape: [3], isTable: false }),
  });
  const values = tidy(() => {
    const given = new Map([["w", tensor1d([1, 2, 3])]]);
    const gradients = new Map([["w", tensor1d([5, -0.1, 0])]]);
    const rates = () => ({ learningRate: 0.5, weightDecay: 0 });
    const [[, updated] = []] = [...made.update(given, gradients, { step: 0, updatesOf: () => 0, rates })];
    return updated!.dataSync();
  });
  made.dispose();
  expect([...values]).toEqual([0.5, 2.5, 3]);
});
