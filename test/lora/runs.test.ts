import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { Batch, BatchSource } from "@thaw/core";
import { openModel } from "@thaw/models";
import projectorOnly from "@thaw/plugin-projector-only";
import { withTempFolder } from "@thaw/testing";
import { memory } from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";
import { maxDifference } from "../parity/compare.mjs";
import { onlyBatch } from "../parity/golden.mjs";
import { baseBatch, loraTrainer, runLora } from "./golden.js";

/** The projector trained whole and adapters over the language model: the usual second stage with little memory. */
const BOTH = {
  freezeMultiModalProjector: false,
  components: { languageModel: { lora: { rank: 4, alpha: 8, dropout: 0.2, targetModules: ["q_proj", "v_proj"] } } },
};

/** The batch with its images counted as they are decoded. */
function counted(batch: Batch): { readonly source: BatchSource; readonly decoded: () => number } {
  let count = 0;
  const media = batch.media.map((item) => ({ ...item, load: () => ((count += 1), item.load()) }));
  return { source: onlyBatch({ ...batch, media }) as BatchSource, decoded: () => count };
}

describe("the projector trained whole and adapters over LLaVA's language model, on wasm", () => {
  it("lower the loss, and no bit of tower and language model moves", async () => {
    const { losses, summary } = await runLora("wasm", {
      freeze: BOTH,
      steps: 8,
      trainer: { training: { learningRate: 0.02, schedule: { type: "constant" } } },
    });
    expect(losses.at(-1)).toBeLessThan(0.8 * losses[0]!);
    expect(summary.frozenProof.map(({ component, isUnchanged }) => [component, isUnchanged])).toEqual([
      ["vision_tower", true],
      ["language_model", true],
    ]);
    expect(summary.components.find(({ name }) => name === "language_model")).toMatchObject({
      trainable: 2 * (2 * 4 * 32 + 4 * 32 + 4 * 16),
    });
  });

  it("take the frozen tower's output from the feature cache, bit for bit", async () => {
    const batch = await baseBatch();
    const [plain, cached] = [counted(batch), counted(batch)];
    const without = await runLora("wasm", { freeze: BOTH, steps: 3, trainer: { data: { train: plain.source } } });
    const with_ = await runLora("wasm", {
      freeze: BOTH,
      steps: 3,
      trainer: { data: { train: cached.source } },
      plugins: [projectorOnly({ featureCache: "on" })],
    });
    expect(with_.losses).toEqual(without.losses);
    for (const [name, values] of without.end) expect(with_.end.get(name), name).toEqual(values);
    expect(plain.decoded()).toBe(6);
    expect(cached.decoded()).toBeLessThan(6);
  });

  it("resume with dropout as if never stopped, also with blocks computed again", async () => {
    for (const activationCheckpointing of ["off", "on"] as const) {
      const training = { activationCheckpointing };
      const whole = await runLora("wasm", { freeze: BOTH, steps: 4, trainer: { training } });
      await withTempFolder(async (output) => {
        const first = await loraTrainer("wasm", { freeze: BOTH, steps: 4, trainer: { training, output } });
        // As the other runs do: gradients that a plugin looks at are divided apart from the update, which rounds
        // otherwise.
        first.hooks.gradients.tap("Look", (gradients) => gradients);
        first.hooks.afterStep.tap("Stop", ({ step }) => {
          if (step === 1) first.stop("the test");
        });
        await first.run();
        const from = join(output, (await readdir(output))[0]!);
        const rest = await runLora("wasm", { freeze: BOTH, steps: 4, trainer: { training, output, resume: { from } } });
        expect(rest.losses).toEqual(whole.losses.slice(2));
        for (const [name, values] of whole.end) expect(rest.end.get(name), name).toEqual(values);
      });
    }
  });

  it("generate with the adapter as the merged model does, token for token", async () => {
    const trained = await runLora("wasm", {
      freeze: BOTH,
      steps: 6,
      trainer: { training: { learningRate: 0.05, schedule: { type: "constant" } } },
    });
    const batch = await baseBatch();
    const [adapted, base] = [await loraTrainer("wasm", { freeze: BOTH }), await loraTrainer("wasm", { freeze: BOTH })];
    adapted.hooks.parameters.tap("Values", (parameters) =>
      parameters.map((one) =>
        trained.end.has(one.name) ? { ...one, initialize: () => trained.end.get(one.name)!.slice() } : one,
      ),
    );
    const before = memory().numTensors;
    const sessions = [await adapted.open(), await base.open()];
    const [got, plain] = [
      await sessions[0]!.generate(batch, { maxNewTokens: 6 }),
      await sessions[1]!.generate(batch, { maxNewTokens: 6 }),
    ];
    expect(got).not.toEqual(plain);
    await withTempFolder(async (folder) => {
      await sessions[0]!.save(join(folder, "merged"));
      const alone = await loraTrainer("wasm", {
        freeze: { freezeMultiModalProjector: false },
        trainer: { model: await openModel(join(folder, "merged")) },
      });
      const session = await alone.open();
      expect(await session.generate(batch, { maxNewTokens: 6 })).toEqual(got);
      await session.close();
    });
    for (const session of sessions) await session.close();
    expect(memory().numTensors).toBe(before);
  });

  it("need less memory than training the language model in full", async () => {
    const peak = async (freeze: Parameters<typeof runLora>[1]["freeze"]): Promise<number> => {
      const trainer = await loraTrainer("wasm", { freeze, steps: 2 });
      return (await trainer.run()).peakTensorBytes;
    };
    expect(await peak(BOTH)).toBeLessThan(await peak({ freezeMultiModalProjector: false }));
  });

  it("may adapt the tower instead: its adapters get gradients, its base none", async () => {
    const { gradients } = await runLora("cpu", {
      freeze: { freezeLlm: true, components: { vision_tower: { lora: { rank: 2, targetModules: ["fc2"] } } } },
    });
    // The third layer has no path to the loss, so it gets no adapter; A has no gradient while B is zero
    expect([...gradients.keys()].map((name) => name.replace("vision_tower.vision_model.encoder.", ""))).toEqual(
      [0, 1].flatMap((layer) => ["A", "B"].map((matrix) => `layers.${layer}.mlp.fc2.lora_${matrix}.weight`)),
    );
    for (const [name, values] of gradients)
      expect(maxDifference(values, new Float32Array(values.length)) > 0, name).toBe(name.includes("lora_B"));
  });
});
