import { backendGpu } from "@thaw/backend-gpu";
import { Trainer, mulberry32, type Model, type Plugin } from "@thaw/core";
import freezePolicy from "@thaw/plugin-freeze-policy";
import { withTempFolder } from "@thaw/testing";
import { expect, it } from "vitest";
import { openContractModel } from "./family.js";
import { contractBatch, contractSource } from "./source.js";

const ALL_TRAINED = { freezeVisionTower: false, freezeMultiModalProjector: false, freezeLanguageModel: false };
const COMPONENTS = { audio_tower: "train", audio_projector: "train" } as const;
const STEP = 3e-3;

/** The model with the values of one parameter moved by `step` times `direction`. */
function moved(model: Model, name: string, direction: Float32Array, step: number): Model {
  return {
    ...model,
    async *load(names) {
      for await (const part of model.load(names))
        yield part.name === name
          ? { name, values: part.values.map((value, at) => value + step * direction[at]!) }
          : part;
    },
  };
}

it("has the gradients that differences of its loss give, in every parameter", async () => {
  await withTempFolder(async (folder) => {
    const model = await openContractModel(folder);
    const which = [0, 1, 2, 3, 4];
    const gradients = new Map<string, Float32Array>();
    const watch: Plugin = {
      name: "Watch",
      apiVersion: 1,
      apply: ({ hooks }) => {
        hooks.gradients.tap("Watch", (given) => {
          for (const [name, tensor] of given) gradients.set(name, tensor.dataSync<"float32">().slice());
          return given;
        });
      },
    };
    const plugins = [backendGpu("cpu"), freezePolicy({ ...ALL_TRAINED, components: COMPONENTS })];
    await new Trainer({
      model,
      data: { train: contractSource(which) },
      seed: 0,
      plugins: [...plugins, watch],
      training: { maxSteps: 1, microBatchSize: 5, shuffle: false, learningRate: 1e-6 },
    }).run();
    expect([...gradients.keys()].toSorted()).toEqual(model.parameters.map(({ name }) => name).toSorted());

    const lossOf = async (changed: Model): Promise<number> => {
      const session = await new Trainer({ model: changed, plugins }).open();
      try {
        const { lossSum, supervisedTokenCount } = await session.loss(contractBatch(which));
        return lossSum / supervisedTokenCount;
      } finally {
        await session.close();
      }
    };
    const random = mulberry32(1);
    for (const [name, gradient] of gradients) {
      const length = Math.hypot(...gradient);
      expect(length, name).toBeGreaterThan(1e-5);
      // Along the gradient, with some noise: what is missing or too much of it changes the slope.
      const direction = gradient.map((value) => value / length + (0.4 * (random() - 0.5)) / Math.sqrt(gradient.length));
      const [up, down] = [
        await lossOf(moved(model, name, direction, STEP)),
        await lossOf(moved(model, name, direction, -STEP)),
      ];
      const slope = gradient.reduce((sum, value, at) => sum + value * direction[at]!, 0);
      expect(Math.abs((up - down) / (2 * STEP) - slope), name).toBeLessThan(0.01 * length + 5e-5);
    }
  });
});
