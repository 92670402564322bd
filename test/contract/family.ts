import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Model } from "@thaw/core";
import { type Attending, compose, defineFamily, openModel } from "@thaw/models";
import { mixedDecoder } from "./decoder.js";
import { AUDIO_TOKEN, END, IMAGE_TOKEN } from "./tokens.js";
import { audioTower, deepConnector, plainConnector, visionTower } from "./towers.js";

/**
 * Text counts up on all axes; a picture's tokens stand at its row and column and at one time, and the text behind it
 * goes on after the largest of them, as in Qwen2-VL (transformers 5.23, `get_rope_index`). Pictures are seen both ways.
 */
export const attending: Attending = {
  positions({ media, batchSize, tokenCount, attentionMask }) {
    const axes = [0, 1, 2].map(() => new Int32Array(batchSize * tokenCount));
    const next = new Int32Array(batchSize);
    for (let sample = 0; sample < batchSize; sample++) {
      let position = 0;
      for (let column = 0; column < tokenCount; column++) {
        if (attentionMask[sample * tokenCount + column] === 0) continue;
        const item = media.find((each) => each.sample === sample && each.columns[0] === column);
        const [height, width] = item?.facts["grid"] ?? [0, 0];
        if (item === undefined || height === 0) {
          for (const axis of axes) axis[sample * tokenCount + column] = position;
          position += 1;
          continue;
        }
        for (const [at, place] of item.columns.entries()) {
          const steps = [0, Math.floor(at / width!), at % width!];
          for (const [index, axis] of axes.entries()) axis[sample * tokenCount + place] = position + steps[index]!;
        }
        column = item.columns.at(-1)!;
        position += Math.max(height!, width!);
      }
      next[sample] = position;
    }
    return { axes, next };
  },
  seesBothWays: ({ media, tokenCount }) =>
    media
      .filter(({ modality }) => modality === "image")
      .map(({ sample, columns }) => ({
        first: sample * tokenCount + columns[0]!,
        end: sample * tokenCount + columns.at(-1)! + 1,
      })),
};

/** Of no plugin: who opens a model of this type gives it. */
export const contractFamily = defineFamily({
  modelType: "contract_model",
  components: {
    vision_tower: ["vision_tower"],
    multi_modal_projector: ["multi_modal_projector"],
    audio_tower: ["audio_tower"],
    audio_projector: ["audio_projector"],
    language_model: ["language_model", "lm_head"],
  },
  read: (config) => config,
  build: () =>
    compose({
      towers: { vision_tower: visionTower, audio_tower: audioTower },
      connectors: { multi_modal_projector: deepConnector, audio_projector: plainConnector },
      decoder: mixedDecoder,
      media: {
        image: { placeholder: IMAGE_TOKEN, through: ["vision_tower", "multi_modal_projector"] },
        audio: { placeholder: AUDIO_TOKEN, through: ["audio_tower", "audio_projector"] },
      },
      attending,
      addedBehind: { deep: 1 },
      text: { maxPositions: 128, eosTokenIds: [END], padTokenId: 0 },
    }),
});

/** Opens the model with new values in a folder that is empty, as a stranger's family. */
export async function openContractModel(folder: string, seed = 5): Promise<Model> {
  await writeFile(join(folder, "config.json"), JSON.stringify({ model_type: contractFamily.modelType }));
  return openModel(folder, { initialize: "all", seed, families: [contractFamily] });
}
