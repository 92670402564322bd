import { visualVocabulary } from "../../connectors/visual-vocabulary.js";
import { defineFamily } from "../../contract/define-family.js";
import { textDecoder } from "../../decoders/text-decoder.js";
import { textFacts } from "../../reading/special-tokens.js";
import { ovis2Tower } from "../../towers/ovis2/ovis2.js";
import { compose } from "../compose.js";
import { llavaTextNames } from "../llava-names.js";
import { readOvis2Config } from "./config.js";
import { pictureLayout, type TileGrid } from "./layout.js";
import { loadOvis2Processor } from "./processor.js";

/**
 * Ovis2 (Lu et al., arXiv:2405.20797): AIMv2's tower over the whole picture and its tiles, a visual vocabulary, Qwen2
 * or another text model. The layer that scores words (`vision_tower.head_*`) and the table belong to the projector.
 * Source: transformers 5.24, `modeling_ovis2.py`.
 */
export const ovis2Family = defineFamily({
  modelType: "ovis2",
  components: {
    vision_tower: ["model.vision_tower"],
    multi_modal_projector: [
      "model.vision_tower.head_linear",
      "model.vision_tower.head_norm",
      "model.visual_embeddings_table",
    ],
    language_model: ["model.language_model", "lm_head"],
  },
  read: readOvis2Config,
  build: (config, { config: reader, generationConfig, storedNames }) => {
    const { text, wordsPerTile } = config;
    const tower = "model.vision_tower";
    const words = {
      ...config,
      names: { scores: `${tower}.head_linear`, norm: `${tower}.head_norm`, table: "model.visual_embeddings_table" },
      outputSize: text.options.hiddenSize,
      layout: ({ facts }: { readonly facts: Readonly<Record<string, readonly number[]>> }) =>
        pictureLayout(facts["tileGrid"] as TileGrid, wordsPerTile),
    };
    return compose({
      towers: { vision_tower: (place) => ovis2Tower(config.vision, `${tower}.transformer`, place) },
      connectors: { multi_modal_projector: (place) => visualVocabulary(words, place) },
      decoder: (place) => textDecoder(text.options, llavaTextNames(config.tied, storedNames), place),
      media: {
        image: {
          placeholder: config.imageTokenId,
          otherIds: config.indicatorIds,
          through: ["vision_tower", "multi_modal_projector"],
        },
      },
      text: textFacts(text, reader, generationConfig),
    });
  },
  processor: loadOvis2Processor,
});
