import { findPrefix } from "../../blocks/layout.js";
import { mergedMlp } from "../../connectors/merged-mlp.js";
import { defineFamily } from "../../contract/define-family.js";
import { textDecoder } from "../../decoders/text-decoder.js";
import { LLAVA_MODULES } from "../../owners/module-names.js";
import { textFacts } from "../../reading/special-tokens.js";
import { patchesOfGrids } from "../../towers/grids.js";
import { siglip2Tower } from "../../towers/siglip2/siglip2.js";
import { compose } from "../compose.js";
import { LLAVA_COMPONENTS, llavaTextNames, projectorPrefix } from "../llava-names.js";
import { readLfm2VlConfig } from "./config.js";
import { loadLfm2VlProcessor } from "./processor.js";

/** The projector's norm has PyTorch's default. */
const EPSILON = 1e-5;

/**
 * LFM2-VL and LFM2.5-VL: SigLIP 2 over tiles of any size, blocks of patches made one, LFM2 with short convolutions.
 * Source: transformers 5.24, `modeling_lfm2_vl.py`. Reads published names and those of transformers 5's modules.
 */
export const lfm2VlFamily = defineFamily({
  modelType: "lfm2_vl",
  components: LLAVA_COMPONENTS,
  moduleNames: LLAVA_MODULES,
  read: readLfm2VlConfig,
  build: (config, { config: reader, generationConfig, storedNames }) => {
    const { vision, text, merge, projector } = config;
    const tower = {
      prefix: findPrefix(
        storedNames,
        ["model.vision_tower.vision_model", "model.vision_tower", "vision_tower.vision_model", "vision_tower"],
        "encoder.layers",
      ),
      merge,
    };
    return compose({
      towers: { vision_tower: (place) => siglip2Tower(vision, tower, place) },
      connectors: {
        multi_modal_projector: (place) =>
          mergedMlp(
            {
              ...projector,
              prefix: projectorPrefix(storedNames),
              merged: merge ** 2,
              rows: (item) => patchesOfGrids(item) / merge ** 2,
              outputSize: text.options.hiddenSize,
              ...(projector.hasNorm && { norm: { kind: "layer", epsilon: EPSILON } }),
            },
            place,
          ),
      },
      decoder: (place) => textDecoder(text.options, llavaTextNames(config.tied, storedNames), place),
      media: { image: { placeholder: config.imageTokenId, through: ["vision_tower", "multi_modal_projector"] } },
      text: textFacts(text, reader, generationConfig),
    });
  },
  processor: loadLfm2VlProcessor,
});
