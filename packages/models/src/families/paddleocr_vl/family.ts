import { findPrefix } from "../../blocks/layout.js";
import { patchMerger, type Merger } from "../../connectors/patch-merger.js";
import { defineFamily } from "../../contract/define-family.js";
import { textDecoder } from "../../decoders/text-decoder.js";
import { PADDLEOCR_VL_MODULES } from "../../owners/module-names.js";
import { textFacts } from "../../reading/special-tokens.js";
import { paddleOcrTower } from "../../towers/paddleocr/tower.js";
import { compose } from "../compose.js";
import { gridAttending } from "../grid-positions.js";
import { textNames } from "../llava-names.js";
import { readPaddleOcrVlConfig } from "./config.js";
import { loadPaddleOcrVlProcessor } from "./processor.js";

/**
 * PaddleOCR-VL: SigLIP-like tower over packed patches, a projector of blocks of patches, ERNIE 4.5 with rows of three
 * axes. Source: transformers 5.24, `modeling_paddleocr_vl.py`. Reads published names and those of its modules.
 */
export const paddleOcrVlFamily = defineFamily({
  modelType: "paddleocr_vl",
  components: {
    vision_tower: ["visual", "model.visual"],
    multi_modal_projector: ["mlp_AR", "model.projector"],
    language_model: ["model", "model.language_model", "lm_head"],
  },
  ignoredNames: ["packing_position_embedding", "vision_model.head"],
  moduleNames: PADDLEOCR_VL_MODULES,
  read: readPaddleOcrVlConfig,
  build: ({ vision, text, tied, imageTokenId }, { config: reader, generationConfig, storedNames }) => {
    const { hiddenSize, merge } = vision;
    const visual = findPrefix(storedNames, ["visual.vision_model", "model.visual.vision_model"], "encoder");
    const prefix = findPrefix(storedNames, ["mlp_AR", "model.projector"], "linear_1");
    const merger: Merger = {
      output: "tokens",
      names: { norm: `${prefix}.pre_norm`, first: `${prefix}.linear_1`, second: `${prefix}.linear_2` },
      norm: { kind: "layer", epsilon: 1e-5 },
    };
    const projector = {
      mergers: [merger],
      patchWidth: hiddenSize,
      outputSize: text.options.hiddenSize,
      merge,
    } as const;
    const names = textNames(
      findPrefix(storedNames, ["model", "model.language_model"], "layers"),
      "lm_head",
      tied,
      storedNames,
    );
    return compose({
      towers: { vision_tower: (place) => paddleOcrTower(vision, visual, place) },
      connectors: { multi_modal_projector: (place) => patchMerger(projector, place) },
      decoder: (place) => textDecoder(text.options, names, place),
      media: { image: { placeholder: imageTokenId, through: ["vision_tower", "multi_modal_projector"] } },
      attending: gridAttending(merge),
      text: textFacts(text, reader, generationConfig),
    });
  },
  processor: loadPaddleOcrVlProcessor,
});
