import { findPrefix } from "../../blocks/layout.js";
import { mlpProjector } from "../../connectors/mlp.js";
import { defineFamily } from "../../contract/define-family.js";
import { textDecoder, type TextNames } from "../../decoders/text-decoder.js";
import { LLAVA_MODULES } from "../../owners/module-names.js";
import { readSpecialTokens } from "../../reading/special-tokens.js";
import { compose } from "../compose.js";
import { readLlavaConfig, type LlavaConfig } from "./config.js";
import { loadLlavaProcessor } from "./processor.js";

/**
 * LLaVA-1.5 (Liu et al., arXiv:2310.03744): CLIP or another tower, two-layer projector, Llama or another text model.
 * Source: transformers 5.24, `modeling_llava.py`. Reads published names, those of transformers 5's modules, and files
 * without the tower's `vision_model.` level.
 */
export const llavaFamily = defineFamily({
  modelType: "llava",
  components: {
    vision_tower: ["vision_tower", "model.vision_tower"],
    multi_modal_projector: ["multi_modal_projector", "model.multi_modal_projector"],
    language_model: ["language_model", "model.language_model", "lm_head"],
  },
  moduleNames: LLAVA_MODULES,
  read: readLlavaConfig,
  build: (config, { config: reader, generationConfig, storedNames }) => {
    const { vision, text, featureStates, keepClassToken } = config;
    const projector = {
      prefix: findPrefix(storedNames, ["multi_modal_projector", "model.multi_modal_projector"], "linear_1"),
      outputSize: text.options.hiddenSize,
      activation: config.projectorActivation,
      hasBias: config.projectorBias,
    };
    return compose({
      towers: {
        vision_tower: (place) =>
          vision.tower(
            { prefix: towerPrefix(storedNames), featureStates, dropsFirst: !keepClassToken, isNormed: false },
            storedNames,
            place,
          ),
      },
      connectors: { multi_modal_projector: (place) => mlpProjector(projector, place) },
      decoder: (place) => textDecoder(text.options, decoderNames(config, storedNames), place),
      media: { image: { placeholder: config.imageTokenId, through: ["vision_tower", "multi_modal_projector"] } },
      text: {
        maxPositions: text.maxPositions,
        ...readSpecialTokens(reader, reader.child("text_config"), generationConfig),
      },
    });
  },
  processor: loadLlavaProcessor,
});

function towerPrefix(storedNames: ReadonlySet<string>): string {
  return findPrefix(
    storedNames,
    ["vision_tower.vision_model", "vision_tower", "model.vision_tower", "model.vision_tower.vision_model"],
    "encoder.layers",
  );
}

function decoderNames(config: LlavaConfig, storedNames: ReadonlySet<string>): TextNames {
  const prefix = findPrefix(storedNames, ["language_model.model", "model.language_model", "language_model"], "layers");
  const head = prefix === "language_model.model" ? "language_model.lm_head" : "lm_head";
  const isStored = storedNames.has(`${head}.weight`);
  return { prefix, head, isTied: config.tied === "unclear" ? !isStored : config.tied };
}
