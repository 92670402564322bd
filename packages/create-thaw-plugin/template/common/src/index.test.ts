import "@tensorflow/tfjs-backend-cpu";
import { setBackend } from "@tensorflow/tfjs-core";
import { Trainer } from "@thaw/core";
import { conformance, tinyTrainerOptions } from "@thaw/testing";
import { beforeAll, describe, expect, it } from "vitest";
import myPlugin from "./index.js";

beforeAll(async () => {
  await setBackend("cpu");
});

describe("myPlugin", () => {
  for (const { name, run } of conformance(() => myPlugin({ limit: 1 }))) it(name, run);

  it("counts every step whose gradients are longer than the limit", async () => {
    const options = tinyTrainerOptions({ plugins: [myPlugin({ limit: 1e-9 })], training: { maxSteps: 2 } });
    const { lines } = await new Trainer(options).run();
    expect(lines).toContain("2 of 2 steps had gradients longer than 1e-9.");
  });

  it("refuses options that it does not know", () => {
    expect(() => myPlugin({ limitt: 1 } as never)).toThrow("limitt");
  });
});
