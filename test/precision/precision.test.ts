import "@tensorflow/tfjs-backend-cpu";
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { memory, setBackend } from "@tensorflow/tfjs-core";
import { dequantize, FROZEN_FORMS, type FrozenForm, quantize, simulatedBfloat16 } from "@thaw/autograd";
import type { Model } from "@thaw/contracts";
import { backendGpu, listCandidates, realLoader, resolveBackendOptions } from "@thaw/backend-gpu";
import { API_VERSION, definePlugin, openSafetensors, Trainer, type Backend, type Batch } from "@thaw/core";
import { openModel } from "@thaw/models";
import { beforeAll, describe, expect, it } from "vitest";
import { openGolden } from "../parity/golden.mjs";
import { backendOf, folder, FROZEN, relativeError, train } from "./support.js";

// Written by transformers and bitsandbytes: see make_quantized.py.
const QUANTIZED = fileURLToPath(new URL("../fixtures/quantized/", import.meta.url));

const cpu: Backend = { name: "cpu", description: "cpu", matmul: "flags" };
const simulated = (): Backend => ({ ...cpu, precisions: ["bfloat16"], bfloat16: simulatedBfloat16() });
beforeAll(() => setBackend("cpu"));

describe.each(["cpu", "wasm"] as const)("on %s", (name) => {
  it.each(["tf32", "bfloat16"] as const)("%s is refused by name, before a weight is read", async (precision) => {
    const before = memory().numTensors;
    await expect(train(backendGpu(name), precision)).rejects.toMatchObject({
      code: "THAW_CORE_PRECISION_UNSUPPORTED",
      details: { precision, backend: name, known: ["float32"] },
    });
    expect(memory().numTensors).toBe(before);
  });
});

describe.each(FROZEN_FORMS)("frozen weights in %s", (frozenPrecision) => {
  beforeAll(() => setBackend("cpu"));

  it.each(["cpu", "wasm"] as const)(
    "train in less memory, untouched, and are read as they were, on %s",
    async (name) => {
      const before = memory().numTensors;
      const plain = await train(backendGpu(name), "float32");
      const narrow = await train(backendGpu(name), "float32", { frozenPrecision });
      narrow.losses.forEach((loss, step) => expect(Math.abs(loss / plain.losses[step]! - 1)).toBeLessThan(0.1));
      expect(narrow.losses).not.toEqual(plain.losses);
      expect(narrow.isUnchanged).toBe(true);
      expect(narrow.frozen).toEqual(plain.frozen);
      expect(narrow.peakTensorBytes).toBeLessThan(plain.peakTensorBytes);
      expect(memory().numTensors).toBe(before);
    },
  );

  it("with bfloat16 beside them, and with cached features", async () => {
    const plain = await train(backendOf(simulated()), "bfloat16", { frozenPrecision });
    const cached = await train(backendOf(simulated()), "bfloat16", { frozenPrecision, cache: true });
    cached.losses.forEach((loss, step) => expect(Math.abs(loss / plain.losses[step]! - 1)).toBeLessThan(1e-3));
  });

  it("as a checkpoint of bitsandbytes stores them", async () => {
    const model = await openModel(`${QUANTIZED}${frozenPrecision}`, { initialize: ["multi_modal_projector"] });
    const stored = await train(backendGpu("cpu"), "float32", { model });
    expect(stored.losses.at(-1)).toBeLessThan(stored.losses[0]!);
    expect(stored.isUnchanged).toBe(true);
  });
});

it("a model that bitsandbytes has quantised to nf4 has the loss that transformers computes", async () => {
  await setBackend("cpu");
  const golden = await openGolden(folder);
  await golden.reader.close();
  const model = await openModel(`${QUANTIZED}nf4`);
  const narrow = new Set(model.parameters.filter(({ quantized }) => quantized !== undefined).map(({ name }) => name));
  const plugin = definePlugin({
    name: "Others",
    apiVersion: API_VERSION,
    apply: ({ hooks }) => {
      hooks.plan.tap("Others", ({ phases }) => ({
        phases: phases.map((phase) => ({
          ...phase,
          entries: phase.entries.map((entry) => ({ ...entry, trainable: !narrow.has(entry.name) })),
        })),
      }));
    },
  })();
  const trainer = new Trainer({ model, plugins: [plugin] });
  const session = await trainer.open();
  const { lossSum, supervisedTokenCount } = await session.loss(golden.batch as Batch);
  await session.close();
  const { nf4 } = JSON.parse(await readFile(`${QUANTIZED}expected.json`, "utf8")) as { nf4: { loss: number } };
  expect(lossSum / supervisedTokenCount).toBeCloseTo(nf4.loss, 5);
});

describe("bfloat16, simulated on cpu", () => {
  beforeAll(() => setBackend("cpu"));

  it("keeps frozen matrices in half the memory, untouched, and trains as float32 does to its rounding", async () => {
    const before = memory().numTensors;
    const [plain, packed] = [await train(backendOf(cpu), "float32"), await train(backendOf(simulated()), "bfloat16")];
    packed.losses.forEach((loss, step) => {
      expect(Math.abs(loss / plain.losses[step]! - 1)).toBeLessThan(5e-3);
    });
    expect(packed.losses).not.toEqual(plain.losses);
    expect(relativeError(packed.gradient, plain.gradient)).toBeLessThan(0.03);
    expect(packed.isUnchanged).toBe(true);
    expect(memory().numTensors).toBe(before);
  });

  it("gives the model's own values where they are read, not the rounded ones", async () => {
    const { frozen } = await train(backendOf(simulated()), "bfloat16", { steps: 1 });
    const stored = await openSafetensors(folder);
    expect(frozen).toEqual(await stored.readFloat32(FROZEN));
    await stored.close();
  });

  it("uses cached features", async () => {
    const [cached, plain] = [
      await train(backendOf(simulated()), "bfloat16", { cache: true }),
      await train(backendOf(simulated()), "bfloat16"),
    ];
    cached.losses.forEach((loss, step) => {
      expect(Math.abs(loss / plain.losses[step]! - 1)).toBeLessThan(1e-3);
    });
  });
});

// Native libraries lie where `thaw backend install` puts them; THAW_TEST_CACHE names another folder.
const search = {
  projectFolder: "/nowhere",
  cacheFolder: process.env["THAW_TEST_CACHE"] ?? join(homedir(), ".cache", "thaw"),
};
const isInstalled = listCandidates(realLoader(resolveBackendOptions("native", search))).some(
  ({ entry, location }) => entry.name === "native" && location?.kind === "installed",
);

/** The model whose frozen linear layers hold the numbers that the form makes of theirs, in float32. */
async function widened(form: FrozenForm): Promise<Model> {
  const model = await openModel(folder);
  const layers = new Map(
    model.parameters
      .filter(({ name, isLinear }) => isLinear === true && !/multi_modal_projector|embed|lm_head/.test(name))
      .map(({ name, shape }) => [name, shape as [number, number]]),
  );
  return {
    ...model,
    async *load(names) {
      for await (const loaded of model.load(names)) {
        const shape = layers.get(loaded.name);
        yield shape === undefined ? loaded : { ...loaded, values: dequantize(quantize(form, loaded.values, shape)) };
      }
    },
  };
}

describe.runIf(isInstalled)("on the native backend", () => {
  const native = backendGpu({ name: "native", ...search });

  it.each(FROZEN_FORMS)("%s agrees with cpu, in less memory", async (frozenPrecision) => {
    const plain = await train(native, "float32");
    const narrow = await train(native, "float32", { frozenPrecision });
    await setBackend("cpu");
    const wanted = await train(backendGpu("cpu"), "float32", { frozenPrecision });
    narrow.losses.forEach((loss, step) => expect(Math.abs(loss / wanted.losses[step]! - 1)).toBeLessThan(1e-4));
    expect(narrow.isUnchanged).toBe(true);
    expect(narrow.peakTensorBytes).toBeLessThan(plain.peakTensorBytes);
  });

  it.each(FROZEN_FORMS)("%s has loss and gradient of the numbers that it stands for, to the bit", async (form) => {
    const narrow = await train(native, "float32", { steps: 1, frozenPrecision: form });
    const wide = await train(native, "float32", { steps: 1, model: await widened(form) });
    expect(narrow.losses).toEqual(wide.losses);
    expect(narrow.gradient).toEqual(wide.gradient);
  });

  it("bfloat16 agrees with float32 to its own rounding, in less memory, and frees what it makes", async () => {
    const plain = await train(native, "float32");
    const before = memory().numTensors;
    const packed = await train(native, "bfloat16");
    packed.losses.forEach((loss, step) => {
      expect(Math.abs(loss / plain.losses[step]! - 1)).toBeLessThan(5e-3);
    });
    expect(relativeError(packed.gradient, plain.gradient)).toBeLessThan(0.03);
    expect(packed.isUnchanged).toBe(true);
    expect(packed.peakTensorBytes).toBeLessThan(plain.peakTensorBytes);
    expect(memory().numTensors).toBe(before);
  });

  it("TF32 is refused: a processor has none", async () => {
    await expect(train(native, "tf32")).rejects.toMatchObject({
      code: "THAW_CORE_PRECISION_UNSUPPORTED",
      details: { known: ["float32", "bfloat16"] },
    });
  });
});
