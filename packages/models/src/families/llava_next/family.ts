import { anyresMlp } from "../../connectors/anyres-mlp.js";
import { defineFamily } from "../../contract/define-family.js";
import type { Architecture, CheckpointHeader } from "../../contract/family.js";
import { textDecoder } from "../../decoders/text-decoder.js";
import { LLAVA_NEXT_MODULES } from "../../owners/module-names.js";
import { textFacts } from "../../reading/special-tokens.js";
import { compose } from "../compose.js";
import { LLAVA_COMPONENTS, llavaTextNames, projectorPrefix, towerPrefix } from "../llava-names.js";
import { type AnyresConfig, readLlavaNextConfig } from "./config.js";
import { loadLlavaNextProcessor } from "./processor.js";

/** Owners of a LLaVA with tiles: the vector behind each line of a picture belongs to the projector. */
export const ANYRES_COMPONENTS = {
  ...LLAVA_COMPONENTS,
  multi_modal_projector: [...LLAVA_COMPONENTS.multi_modal_projector, "image_newline", "model.image_newline"],
};

/** The model of a LLaVA with tiles. */
export function anyresModel(config: AnyresConfig, header: CheckpointHeader): Architecture {
  const { vision, text, featureStates, keepClassToken, side, tileLimit } = config;
  const { config: reader, generationConfig, storedNames } = header;
  const tower = { prefix: towerPrefix(storedNames), featureStates, dropsFirst: !keepClassToken, isNormed: false };
  const projector = {
    prefix: projectorPrefix(storedNames),
    newline: storedNames.has("model.image_newline") ? "model.image_newline" : "image_newline",
    outputSize: text.options.hiddenSize,
    activation: config.projectorActivation,
    hasBias: config.projectorBias,
    side,
    ...(tileLimit !== undefined && { tileLimit }),
  };
  return compose({
    towers: { vision_tower: (place) => vision.tower(tower, storedNames, place) },
    connectors: { multi_modal_projector: (place) => anyresMlp(projector, place) },
    decoder: (place) => textDecoder(text.options, llavaTextNames(config.tied, storedNames), place),
    media: { image: { placeholder: config.imageTokenId, through: ["vision_tower", "multi_modal_projector"] } },
    text: textFacts(text, reader, generationConfig),
  });
}

/**
 * LLaVA-NeXT (LLaVA-1.6): CLIP or another tower on an overview and tiles of each picture, two-layer projector, rows
 * packed without padding, Llama, Mistral or another text model. Source: transformers 5.24, `modeling_llava_next.py`.
 * Reads the names that LLaVA's files have.
 */
export const llavaNextFamily = defineFamily({
  modelType: "llava_next",
  components: ANYRES_COMPONENTS,
  moduleNames: LLAVA_NEXT_MODULES,
  read: readLlavaNextConfig,
  build: anyresModel,
  processor: loadLlavaNextProcessor,
});
