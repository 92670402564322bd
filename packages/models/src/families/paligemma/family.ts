import { linearProjector } from "../../connectors/linear.js";
import { defineFamily } from "../../contract/define-family.js";
import { textDecoder } from "../../decoders/text-decoder.js";
import { LLAVA_MODULES } from "../../owners/module-names.js";
import { textFacts } from "../../reading/special-tokens.js";
import { siglipTower } from "../../towers/siglip.js";
import { compose } from "../compose.js";
import { LLAVA_COMPONENTS, llavaTextNames, projectorPrefix, towerPrefix } from "../llava-names.js";
import { PREFIX_ATTENDING } from "./attending.js";
import { readPaliGemmaConfig } from "./config.js";
import { loadPaliGemmaProcessor } from "./processor.js";

/**
 * PaliGemma (Beyer et al., arXiv:2407.07726) and PaliGemma 2 (arXiv:2412.03555): SigLIP tower, one linear layer, Gemma
 * or Gemma 2, whose prefix sees itself both ways. Source: transformers 5.24, `modeling_paligemma.py`. Reads published
 * names and those of transformers 5's modules.
 */
export const paliGemmaFamily = defineFamily({
  modelType: "paligemma",
  components: LLAVA_COMPONENTS,
  moduleNames: LLAVA_MODULES,
  read: readPaliGemmaConfig,
  build: ({ vision, text, imageTokenId, tied }, { config: reader, generationConfig, storedNames }) => {
    const prefix = towerPrefix(storedNames);
    const tower = {
      prefix,
      featureStates: [vision.layerCount],
      dropsFirst: false,
      isNormed: true,
      storesHead: storedNames.has(`${prefix}.head.probe`),
    };
    const projector = {
      name: `${projectorPrefix(storedNames, "linear")}.linear`,
      outputSize: text.options.hiddenSize,
      hasBias: true,
    };
    return compose({
      towers: { vision_tower: (place) => siglipTower(vision, tower, place) },
      connectors: { multi_modal_projector: (place) => linearProjector(projector, place) },
      decoder: (place) => textDecoder(text.options, llavaTextNames(tied, storedNames), place),
      media: { image: { placeholder: imageTokenId, through: ["vision_tower", "multi_modal_projector"] } },
      attending: PREFIX_ATTENDING,
      text: textFacts(text, reader, generationConfig),
    });
  },
  processor: loadPaliGemmaProcessor,
});
