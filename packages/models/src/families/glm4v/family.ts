import { gatedMerger } from "../../connectors/gated-merger.js";
import { defineFamily } from "../../contract/define-family.js";
import type { Family } from "../../contract/family.js";
import { textDecoder } from "../../decoders/text-decoder.js";
import { textFacts } from "../../reading/special-tokens.js";
import { glm4vTower } from "../../towers/glm4v/tower.js";
import { compose } from "../compose.js";
import { gridAttending } from "../grid-positions.js";
import { textNames } from "../llava-names.js";
import { readGlm4vConfig, type Glm4vType } from "./config.js";
import { loadGlm4vProcessor } from "./processor.js";

const VISUAL = "model.visual";

/**
 * GLM-4.1V and GLM-4.6V-Flash, GLM-4.5V, or GLM-OCR: a tower over packed patches, a convolution with a gated merger, a
 * text model with rows of three axes. Source: transformers 5.24, `modeling_glm4v.py`, `modeling_glm4v_moe.py`,
 * `modeling_glm_ocr.py`.
 */
function glmFamily(modelType: Glm4vType): Family {
  return defineFamily({
    modelType,
    components: {
      vision_tower: ["patch_embed", "embeddings", "post_conv_layernorm", "blocks", "post_layernorm"].map(
        (part) => `${VISUAL}.${part}`,
      ),
      multi_modal_projector: [`${VISUAL}.downsample`, `${VISUAL}.merger`],
      language_model: ["model.language_model", "lm_head"],
    },
    read: (config) => readGlm4vConfig(config, modelType),
    build: ({ vision, text, tied, imageTokenId }, { config: reader, generationConfig, storedNames }) => {
      const merger = {
        prefix: VISUAL,
        outputSize: vision.outputSize,
        intermediateSize: vision.mergerWidth,
        activation: vision.activation,
        merge: vision.merge,
      };
      const names = textNames("model.language_model", "lm_head", tied, storedNames);
      return compose({
        towers: { vision_tower: (place) => glm4vTower(vision, VISUAL, place) },
        connectors: { multi_modal_projector: (place) => gatedMerger(merger, place) },
        decoder: (place) => textDecoder(text.options, names, place),
        media: { image: { placeholder: imageTokenId, through: ["vision_tower", "multi_modal_projector"] } },
        attending: gridAttending(vision.merge),
        // Files of these have one layer more, which predicts the token behind the next one.
        ...((modelType === "glm_ocr" || modelType === "glm4v_moe") && {
          ignores: (name) => name.startsWith(`model.language_model.layers.${text.options.layers.length}.`),
        }),
        text: textFacts(text, reader, generationConfig),
      });
    },
    processor: (folder) => loadGlm4vProcessor(folder, modelType),
  });
}

/** GLM-4.1V. */
export const glm4vFamily = glmFamily("glm4v");
/** GLM-4.6V-Flash. */
export const glm46vFamily = glmFamily("glm46v");
/** GLM-4.5V and GLM-4.6V, with experts. */
export const glm4vMoeFamily = glmFamily("glm4v_moe");
/** GLM-OCR. */
export const glmOcrFamily = glmFamily("glm_ocr");
