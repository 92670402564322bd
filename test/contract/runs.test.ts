import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { Trainer } from "@thaw/core";
import { backendGpu } from "@thaw/backend-gpu";
import { openModel } from "@thaw/models";
import freezePolicy, { type FreezePolicyOptions } from "@thaw/plugin-freeze-policy";
import { withTempFolder } from "@thaw/testing";
import { describe, expect, it } from "vitest";
import { contractFamily } from "./family.js";
import { contractTrainer, PROJECTORS, runContract } from "./run.js";
import { contractBatch } from "./source.js";

/** Adapters with dropout beside a projector that starts later: what resume has to bring back. */
const MIXED: FreezePolicyOptions = {
  freezeVisionTower: true,
  components: {
    multi_modal_projector: { unfreezeAtStep: 2 },
    audio_projector: "train",
    language_model: { lora: { rank: 2, dropout: 0.2, targetModules: "all-linear" } },
  },
};

it("learns", async () => {
  const { losses } = await runContract({
    freeze: { freezeMultiModalProjector: false, freezeLanguageModel: false, components: PROJECTORS!.components },
    training: { epochs: 12, learningRate: 0.02 },
  });
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  expect(mean(losses.slice(-3))).toBeLessThan(0.7 * mean(losses.slice(0, 3)));
});

it("trains a component from its step on, and not before", async () => {
  const { gradients } = await runContract({ freeze: MIXED });
  // The second batch of an epoch has no picture.
  expect(gradients.map((names) => names.has("multi_modal_projector.linear.weight"))).toEqual([
    false,
    false,
    true,
    true,
    false,
    true,
  ]);
});

describe.each(["off", "on"] as const)("with blocks computed again %s,", (activationCheckpointing) => {
  it("goes on from a checkpoint as if it had never stopped", async () => {
    const training = { activationCheckpointing, gradientAccumulationSteps: 1, epochs: 2 };
    const whole = await runContract({ freeze: MIXED, training });
    await withTempFolder(async (output) => {
      const trainer = { output };
      const first = await runContract({ freeze: MIXED, training, trainer }, 2);
      const from = join(output, (await readdir(output))[0]!);
      const rest = await runContract({ freeze: MIXED, training, trainer: { output, resume: { from } } });
      expect([...first.losses, ...rest.losses]).toEqual(whole.losses);
      for (const [name, values] of whole.end) expect(rest.end.get(name), name).toEqual(values);
    });
  });
});

it("computes the same gradients with blocks computed again", async () => {
  const freeze: FreezePolicyOptions = { freezeVisionTower: false, freezeLanguageModel: false };
  const [off, on] = [
    await runContract({ freeze, training: { activationCheckpointing: "off" } }),
    await runContract({ freeze, training: { activationCheckpointing: "on" } }),
  ];
  expect(on.losses).toEqual(off.losses);
  for (const [name, values] of off.end) expect(on.end.get(name), name).toEqual(values);
});

it("is saved as a checkpoint that opens again with the same loss", async () => {
  await withTempFolder(async (folder) => {
    const target = join(folder, "saved");
    const trainer = await contractTrainer(folder);
    const session = await trainer.open();
    const { lossSum } = await session.loss(contractBatch([0, 1, 2]));
    await session.save(target);
    await session.close();
    const again = await new Trainer({
      model: await openModel(target, { families: [contractFamily] }),
      plugins: [backendGpu("cpu"), freezePolicy(PROJECTORS)],
    }).open();
    expect((await again.loss(contractBatch([0, 1, 2]))).lossSum).toBe(lossSum);
    await again.close();
  });
});
