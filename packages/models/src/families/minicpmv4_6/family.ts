import { mergedMlp } from "../../connectors/merged-mlp.js";
import { defineFamily } from "../../contract/define-family.js";
import { textDecoder } from "../../decoders/text-decoder.js";
import { textFacts } from "../../reading/special-tokens.js";
import { patchesOfGrids } from "../../towers/grids.js";
import { miniCpmTower } from "../../towers/minicpm/minicpm.js";
import { compose } from "../compose.js";
import { textNames } from "../llava-names.js";
import { readMiniCpmConfig } from "./config.js";
import { loadMiniCpmProcessor } from "./processor.js";

const [TOWER, MERGER, TEXT] = ["model.vision_tower", "model.merger", "model.language_model"];
/** Of the merger's norm. */
const EPSILON = 1e-6;

/**
 * MiniCPM-V 4.6: an overview and slices of each picture through a tower with a merger inside, blocks of rows made one,
 * Qwen3.5's text model. Source: transformers 5.24, `modeling_minicpmv4_6.py`.
 */
export const miniCpmFamily = defineFamily({
  modelType: "minicpmv4_6",
  components: {
    vision_tower: [TOWER],
    multi_modal_projector: [MERGER],
    language_model: [TEXT, "lm_head"],
  },
  ignoredNames: ["mtp"],
  read: readMiniCpmConfig,
  build: (config, { config: reader, generationConfig, storedNames }) => {
    const { vision, text, perToken } = config;
    const names = textNames(TEXT, "lm_head", config.tied, storedNames);
    const merger = {
      prefix: `${MERGER}.mlp.0`,
      merged: 4,
      rows: (item: Parameters<typeof patchesOfGrids>[0]) => patchesOfGrids(item) / perToken ** 2,
      norm: { kind: "layer", epsilon: EPSILON },
      innerSize: 4 * vision.hiddenSize,
      outputSize: text.options.hiddenSize,
      activation: "gelu",
      hasBias: true,
      names: { norm: "pre_norm" },
    } as const;
    return compose({
      towers: { vision_tower: (place) => miniCpmTower(vision, TOWER, place) },
      connectors: { multi_modal_projector: (place) => mergedMlp(merger, place) },
      decoder: (place) => textDecoder(text.options, names, place),
      media: { image: { placeholder: config.imageTokenId, through: ["vision_tower", "multi_modal_projector"] } },
      text: textFacts(text, reader, generationConfig),
    });
  },
  processor: loadMiniCpmProcessor,
});
