import { mlpProjector } from "../../connectors/mlp.js";
import { defineFamily } from "../../contract/define-family.js";
import type { Tower, TowerPlace } from "../../contract/parts.js";
import { textDecoder } from "../../decoders/text-decoder.js";
import { LLAVA_MODULES } from "../../owners/module-names.js";
import { textFacts } from "../../reading/special-tokens.js";
import { pixtralTower } from "../../towers/pixtral/tower.js";
import { compose } from "../compose.js";
import { LLAVA_COMPONENTS, llavaTextNames, projectorPrefix, towerPrefix } from "../llava-names.js";
import { readLlavaConfig, type LlavaConfig } from "./config.js";
import { loadLlavaProcessor } from "./processor.js";

/**
 * LLaVA-1.5 (Liu et al., arXiv:2310.03744): CLIP or another tower, two-layer projector, Llama or another text model.
 * Source: transformers 5.24, `modeling_llava.py`. Reads published names, those of transformers 5's modules, and files
 * without the tower's `vision_model.` level.
 */
export const llavaFamily = defineFamily({
  modelType: "llava",
  components: LLAVA_COMPONENTS,
  moduleNames: LLAVA_MODULES,
  read: readLlavaConfig,
  build: (config, { config: reader, generationConfig, storedNames }) => {
    const { text } = config;
    const projector = {
      prefix: projectorPrefix(storedNames),
      outputSize: text.options.hiddenSize,
      activation: config.projectorActivation,
      hasBias: config.projectorBias,
    };
    return compose({
      towers: {
        vision_tower: (place) => towerOf(config, storedNames, place),
      },
      connectors: { multi_modal_projector: (place) => mlpProjector(projector, place) },
      decoder: (place) => textDecoder(text.options, llavaTextNames(config.tied, storedNames), place),
      media: { image: { placeholder: config.imageTokenId, through: ["vision_tower", "multi_modal_projector"] } },
      text: textFacts(text, reader, generationConfig),
    });
  },
  processor: loadLlavaProcessor,
});

function towerOf(
  { vision, featureStates, keepClassToken }: LlavaConfig,
  storedNames: ReadonlySet<string>,
  place: TowerPlace,
): Tower {
  const prefix = towerPrefix(storedNames, vision.type === "pixtral" ? "transformer.layers" : "encoder.layers");
  if (vision.type === "pixtral") return pixtralTower(vision.model, { prefix, featureStates, merge: 1 }, place);
  return vision.model.tower(
    { prefix, featureStates, dropsFirst: !keepClassToken, isNormed: false },
    storedNames,
    place,
  );
}
