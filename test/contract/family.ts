import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { placeholderRows, type LoadedBatch, type Model, type Scope } from "@thaw/core";
import {
  type Attending,
  DecodedBatch,
  type Family,
  findFamily,
  generate,
  mixTokens,
  openModel,
  registerFamily,
} from "@thaw/models";
import type { Value } from "@thaw/autograd";
import { mixedDecoder } from "./decoder.js";
import { audioTower, SIZES, visionTower } from "./towers.js";

export const END = 1;
const MODALITIES = ["image", "audio"];

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

const family: Family = {
  modelType: "contract_model",
  components: [
    { name: "vision_tower", prefixes: ["vision_tower"] },
    { name: "multi_modal_projector", prefixes: ["multi_modal_projector"] },
    { name: "audio_tower", prefixes: ["audio_tower"] },
    { name: "audio_projector", prefixes: ["audio_projector"] },
    { name: "language_model", prefixes: ["language_model", "lm_head"] },
  ],
  ignoredNames: [],
  describe() {
    const towers = [visionTower(), audioTower()];
    const decoder = mixedDecoder();
    const parts = (batch: LoadedBatch, scope: Scope): Omit<Parameters<typeof generate>[0], "eosTokenIds"> => {
      const made = towers.map((tower) => tower.run(batch, scope));
      const places = MODALITIES.map((modality) =>
        placeholderRows(
          batch.media.filter((item) => item.modality === modality),
          batch.tokenCount,
        ),
      ).filter((_, index) => made[index] !== undefined);
      const features = made.filter((each): each is Value => each !== undefined);
      return {
        decoder,
        batch,
        scope,
        features,
        attending,
        mix: (rows) => mixTokens(batch.tokenIds, places, rows),
      };
    };
    return {
      parameters: [...towers.flatMap(({ parameters }) => parameters), ...decoder.parameters],
      segments: [...towers.flatMap(({ segments }) => segments), ...decoder.segments],
      deadParameters: [],
      text: {
        vocabularySize: SIZES.vocabulary,
        hiddenSize: SIZES.hidden,
        maxPositions: 128,
        eosTokenIds: [END],
        padTokenId: 0,
      },
      forward: (batch, scope) => new DecodedBatch(parts(batch, scope)),
      generate: (batch, scope, options) => generate({ ...parts(batch, scope), eosTokenIds: [END] }, options),
    };
  },
};

/** Opens the model with new values in a folder that is empty, as a stranger's family. */
export async function openContractModel(folder: string, seed = 5): Promise<Model> {
  if (findFamily(family.modelType) === undefined) registerFamily(family);
  await writeFile(join(folder, "config.json"), JSON.stringify({ model_type: family.modelType }));
  return openModel(folder, { initialize: "all", seed });
}
