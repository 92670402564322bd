import { findPrefix } from "../../blocks/layout.js";
import { mergingMlp } from "../../connectors/merging-mlp.js";
import { defineFamily } from "../../contract/define-family.js";
import { textDecoder } from "../../decoders/text-decoder.js";
import { LLAVA_MODULES } from "../../owners/module-names.js";
import { textFacts } from "../../reading/special-tokens.js";
import { pixtralTower } from "../../towers/pixtral/tower.js";
import { compose } from "../compose.js";
import { LLAVA_COMPONENTS, llavaTextNames, projectorPrefix } from "../llava-names.js";
import { readMistral3Config } from "./config.js";
import { loadMistral3Processor } from "./processor.js";

/**
 * Mistral Small 3 and Ministral 3: Pixtral tower, a projector that merges blocks of patches, Mistral or Ministral 3.
 * Source: transformers 5.24, `modeling_mistral3.py`. Reads published names and those of transformers 5's modules.
 */
export const mistral3Family = defineFamily({
  modelType: "mistral3",
  components: LLAVA_COMPONENTS,
  moduleNames: LLAVA_MODULES,
  read: readMistral3Config,
  build: (config, { config: reader, generationConfig, storedNames }) => {
    const { vision, text, featureStates, merge, epsilon } = config;
    const tower = {
      prefix: findPrefix(storedNames, ["vision_tower", "model.vision_tower"], "transformer.layers"),
      featureStates,
      merge,
    };
    const projector = {
      prefix: projectorPrefix(storedNames),
      outputSize: text.options.hiddenSize,
      activation: config.projectorActivation,
      hasBias: config.projectorBias,
      norm: { epsilon },
      merge,
    };
    return compose({
      towers: { vision_tower: (place) => pixtralTower(vision, tower, place) },
      connectors: { multi_modal_projector: (place) => mergingMlp(projector, place) },
      decoder: (place) => textDecoder(text.options, llavaTextNames(config.tied, storedNames), place),
      media: { image: { placeholder: config.imageTokenId, through: ["vision_tower", "multi_modal_projector"] } },
      text: textFacts(text, reader, generationConfig),
    });
  },
  processor: loadMistral3Processor,
});
