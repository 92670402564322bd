import type { MediaItem } from "@thaw/contracts";
import { linearProjector } from "../../connectors/linear.js";
import { defineFamily } from "../../contract/define-family.js";
import type { Family } from "../../contract/family.js";
import { textDecoder } from "../../decoders/text-decoder.js";
import { textFacts } from "../../reading/special-tokens.js";
import { patchesOfGrids } from "../../towers/grids.js";
import { idefics3Tower } from "../../towers/idefics3/idefics3.js";
import { compose } from "../compose.js";
import { textNames } from "../llava-names.js";
import { readIdefics3Config } from "./config.js";
import { loadIdefics3Processor } from "./processor.js";

const HEAD = "lm_head";

/**
 * A type of Idefics3's kind: a SigLIP-like tower on tiles and the whole picture, blocks of patches made one by a linear
 * layer, Llama. Source: transformers 5.24, `modeling_idefics3.py`.
 */
export function idefics3Like(modelType: string): Family {
  return defineFamily({
    modelType,
    components: {
      vision_tower: ["model.vision_model"],
      multi_modal_projector: ["model.connector"],
      language_model: ["model.text_model", HEAD],
    },
    read: readIdefics3Config,
    build: ({ vision, text, imageTokenId, merge, tied }, { config: reader, generationConfig, storedNames }) => {
      const projector = {
        name: "model.connector.modality_projection.proj",
        outputSize: text.options.hiddenSize,
        hasBias: false,
        merged: { count: merge ** 2, rows: (item: MediaItem) => patchesOfGrids(item) / merge ** 2 },
      };
      const names = textNames("model.text_model", HEAD, tied, storedNames);
      return compose({
        towers: { vision_tower: (place) => idefics3Tower(vision, { prefix: "model.vision_model", merge }, place) },
        connectors: { multi_modal_projector: (place) => linearProjector(projector, place) },
        decoder: (place) => textDecoder(text.options, names, place),
        media: { image: { placeholder: imageTokenId, through: ["vision_tower", "multi_modal_projector"] } },
        text: textFacts(text, reader, generationConfig),
      });
    },
    processor: (folder) => loadIdefics3Processor(folder, modelType),
  });
}

/** Idefics3 (Laurençon et al., arXiv:2408.12637), and SmolVLM as its first files call themselves. */
export const idefics3Family = idefics3Like("idefics3");
