import { poolingProjector } from "../../connectors/pooling.js";
import { defineFamily } from "../../contract/define-family.js";
import { textDecoder } from "../../decoders/text-decoder.js";
import { LLAVA_MODULES } from "../../owners/module-names.js";
import { textFacts } from "../../reading/special-tokens.js";
import { siglipTower } from "../../towers/siglip.js";
import { gridSide } from "../../towers/vit.js";
import { compose } from "../compose.js";
import { itemRuns } from "../item-runs.js";
import { LLAVA_COMPONENTS, llavaTextNames, projectorPrefix, towerPrefix } from "../llava-names.js";
import { readGemma3Config } from "./config.js";
import { loadGemma3Processor } from "./processor.js";

/**
 * Gemma 3 (arXiv:2503.19786): SigLIP tower, means of blocks of patches and a matrix, Gemma 3's text model, whose tokens
 * of one picture see one another both ways. Source: transformers 5.24, `modeling_gemma3.py`. Reads published names and
 * those of transformers 5's modules.
 */
export const gemma3Family = defineFamily({
  modelType: "gemma3",
  components: LLAVA_COMPONENTS,
  moduleNames: LLAVA_MODULES,
  read: readGemma3Config,
  build: (config, { config: reader, generationConfig, storedNames }) => {
    const { vision, text, tokensPerSide } = config;
    const prefix = towerPrefix(storedNames);
    const tower = {
      prefix,
      featureStates: [vision.layerCount],
      dropsFirst: false,
      isNormed: true,
      storesHead: storedNames.has(`${prefix}.head.probe`),
    };
    const projector = {
      prefix: projectorPrefix(storedNames, "mm_input_projection_weight"),
      outputSize: text.options.hiddenSize,
      side: gridSide(vision),
      tokensPerSide,
      norm: { epsilon: vision.epsilon, unitOffset: true },
    };
    return compose({
      towers: { vision_tower: (place) => siglipTower(vision, tower, place) },
      connectors: { multi_modal_projector: (place) => poolingProjector(projector, place) },
      decoder: (place) => textDecoder(text.options, llavaTextNames(config.tied, storedNames), place),
      media: { image: { placeholder: config.imageTokenId, through: ["vision_tower", "multi_modal_projector"] } },
      attending: { seesBothWays: itemRuns },
      text: textFacts(text, reader, generationConfig),
    });
  },
  processor: loadGemma3Processor,
});
