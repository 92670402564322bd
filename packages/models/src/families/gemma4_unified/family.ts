import { defineFamily } from "../../contract/define-family.js";
import type { TowerPlace } from "../../contract/parts.js";
import { pixelBlocks, type PixelBlocksNames } from "../../towers/gemma4/blocks.js";
import { waveFrames } from "../../towers/gemma4/wave-frames.js";
import { compose } from "../compose.js";
import { gemma4TextParts } from "../gemma4/shared.js";
import { readGemma4UnifiedConfig } from "./config.js";
import { loadGemma4UnifiedProcessor } from "./processor.js";

/**
 * Gemma 4 12B: no tower, blocks of pixels through norms and matrices, samples of sound through a norm and a matrix,
 * then Gemma 4's text model, which sees a picture both ways. All of it before the text model is a projector. Source:
 * transformers 5.24, `modeling_gemma4_unified.py`. Reads published names and those of transformers 5's modules.
 */
export const gemma4UnifiedFamily = defineFamily({
  modelType: "gemma4_unified",
  components: {
    multi_modal_projector: ["model.vision_embedder", "model.embed_vision"],
    audio_projector: ["model.embed_audio"],
    language_model: ["model.language_model", "lm_head"],
  },
  moduleNames: [
    ["model.vision_embedder", "model.embed_vision"],
    ["model.embed_vision.embedding_projection", "model.embed_vision.multimodal_embedder.embedding_projection"],
  ],
  read: readGemma4UnifiedConfig,
  build: (config, header) => {
    const { vision, audio, text, imageTokenId, audioTokenId } = config;
    const outputSize = text.options.hiddenSize;
    return compose<string, string>({
      towers: {
        multi_modal_projector: (place) => pixelBlocks(vision, namesOf(header.storedNames), outputSize, place),
        ...(audio && {
          audio_projector: (place: TowerPlace) =>
            waveFrames({ name: "model.embed_audio.embedding_projection", ...audio, outputSize }, place),
        }),
      },
      connectors: {},
      media: {
        image: { placeholder: imageTokenId, through: ["multi_modal_projector"] },
        ...(audio && { audio: { placeholder: audioTokenId, through: ["audio_projector"] as const } }),
      },
      ...gemma4TextParts(config, header),
    });
  },
  processor: loadGemma4UnifiedProcessor,
});

function namesOf(storedNames: ReadonlySet<string>): PixelBlocksNames {
  return storedNames.has("model.embed_vision.patch_dense.weight")
    ? { prefix: "model.embed_vision", projection: "model.embed_vision.multimodal_embedder.embedding_projection" }
    : { prefix: "model.vision_embedder", projection: "model.embed_vision.embedding_projection" };
}
