import { defineFamily } from "../../contract/define-family.js";
import { textDecoder } from "../../decoders/text-decoder.js";
import { readSpecialTokens } from "../../reading/special-tokens.js";
import { pixelBlocks, type PixelBlocksNames } from "../../towers/gemma4/blocks.js";
import { compose } from "../compose.js";
import { keptTensors } from "../gemma4/kept.js";
import { itemRuns } from "../item-runs.js";
import { textNames } from "../llava-names.js";
import { readGemma4UnifiedConfig } from "./config.js";
import { loadGemma4UnifiedProcessor } from "./processor.js";

const TEXT = "model.language_model";

/**
 * Gemma 4 12B: no tower, blocks of pixels through norms and matrices, then Gemma 4's text model, which sees a picture
 * both ways. All of it before the text model is the projector. Source: transformers 5.24,
 * `modeling_gemma4_unified.py`. Reads published names and those of transformers 5's modules.
 */
export const gemma4UnifiedFamily = defineFamily({
  modelType: "gemma4_unified",
  components: {
    multi_modal_projector: ["model.vision_embedder", "model.embed_vision"],
    audio_projector: ["model.embed_audio"],
    language_model: [TEXT, "lm_head"],
  },
  moduleNames: [
    ["model.vision_embedder", "model.embed_vision"],
    ["model.embed_vision.embedding_projection", "model.embed_vision.multimodal_embedder.embedding_projection"],
  ],
  read: readGemma4UnifiedConfig,
  build: (config, header) => {
    const { config: reader, generationConfig, storedNames } = header;
    const { vision, text, imageTokenId } = config;
    if (config.hasAudio && storedNames.size === 0)
      reader.fail("audio_config", "A matrix for sound cannot be made anew.", "Set it to null.");
    const names = textNames(TEXT, "lm_head", config.tied, storedNames);
    const firstSharing = text.options.layers.findIndex(({ takesFrom }) => takesFrom !== undefined);
    return compose({
      towers: {
        multi_modal_projector: (place) => pixelBlocks(vision, namesOf(storedNames), text.options.hiddenSize, place),
      },
      connectors: {},
      decoder: (place) => textDecoder(text.options, names, place),
      media: { image: { placeholder: imageTokenId, through: ["multi_modal_projector"] } },
      ...(config.seesBothWays && { attending: { seesBothWays: itemRuns } }),
      text: {
        maxPositions: text.maxPositions,
        ...readSpecialTokens(reader, reader.child("text_config"), generationConfig),
      },
      unused: keptTensors(header, ["model.embed_audio"], TEXT, firstSharing < 0 ? Infinity : firstSharing),
    });
  },
  processor: loadGemma4UnifiedProcessor,
});

function namesOf(storedNames: ReadonlySet<string>): PixelBlocksNames {
  return storedNames.has("model.embed_vision.patch_dense.weight")
    ? { prefix: "model.embed_vision", projection: "model.embed_vision.multimodal_embedder.embedding_projection" }
    : { prefix: "model.vision_embedder", projection: "model.embed_vision.embedding_projection" };
}
