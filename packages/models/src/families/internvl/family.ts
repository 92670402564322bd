import { mergedMlp } from "../../connectors/merged-mlp.js";
import { defineFamily } from "../../contract/define-family.js";
import { textDecoder } from "../../decoders/text-decoder.js";
import { LLAVA_MODULES } from "../../owners/module-names.js";
import { textFacts } from "../../reading/special-tokens.js";
import { tilesOf } from "../../towers/inputs.js";
import { internVitTower } from "../../towers/internvl/internvit.js";
import { gridSide } from "../../towers/vit.js";
import { compose } from "../compose.js";
import { LLAVA_COMPONENTS, llavaTextNames, projectorPrefix, towerPrefix } from "../llava-names.js";
import { readInternVlConfig } from "./config.js";
import { loadInternVlProcessor } from "./processor.js";

/** The projector's norm has PyTorch's default. */
const EPSILON = 1e-5;

/**
 * InternVL 3 and 3.5 in transformers' form (arXiv:2504.10479): InternViT on tiles and the whole picture, blocks of
 * patches made one, a norm and two linear layers, Qwen2, Qwen3 or Llama. Source: transformers 5.24,
 * `modeling_internvl.py`. Reads published names and those of transformers 5's modules.
 */
export const internVlFamily = defineFamily({
  modelType: "internvl",
  components: LLAVA_COMPONENTS,
  moduleNames: LLAVA_MODULES,
  read: readInternVlConfig,
  build: (config, { config: reader, generationConfig, storedNames }) => {
    const { vision, text, merge, isNormed } = config;
    const tower = {
      prefix: towerPrefix(storedNames, "encoder.layer"),
      featureStates: [config.featureState],
      dropsFirst: true,
      isNormed,
      merge,
    };
    const perTile = (gridSide(vision) / merge) ** 2;
    return compose({
      towers: { vision_tower: (place) => internVitTower(vision, tower, place) },
      connectors: {
        multi_modal_projector: (place) =>
          mergedMlp(
            {
              prefix: projectorPrefix(storedNames),
              merged: merge ** 2,
              rows: (item) => perTile * tilesOf(item),
              norm: { kind: "layer", epsilon: EPSILON },
              innerSize: text.options.hiddenSize,
              outputSize: text.options.hiddenSize,
              activation: config.projectorActivation,
              hasBias: true,
            },
            place,
          ),
      },
      decoder: (place) => textDecoder(text.options, llavaTextNames(config.tied, storedNames), place),
      media: { image: { placeholder: config.imageTokenId, through: ["vision_tower", "multi_modal_projector"] } },
      text: textFacts(text, reader, generationConfig),
    });
  },
  processor: loadInternVlProcessor,
});
