import { normedLinear } from "../../connectors/normed-linear.js";
import { defineFamily } from "../../contract/define-family.js";
import type { ConnectorPlace, TowerPlace } from "../../contract/parts.js";
import type { ProjectionKind } from "../../layers/projection.js";
import { gemma4AudioTower } from "../../towers/gemma4-audio/tower.js";
import { gemma4Tower } from "../../towers/gemma4/gemma4.js";
import { compose } from "../compose.js";
import { readGemma4Config } from "./config.js";
import { loadGemma4Processor } from "./processor.js";
import { gemma4TextParts } from "./shared.js";

const PICTURES = "model.vision_tower";
const SOUNDS = "model.audio_tower";

/**
 * Gemma 4 (E2B, E4B, 26B-A4B, 31B): a tower over pictures of any grid, means of blocks, a norm and a matrix; a tower
 * for sound, a norm and a matrix (E2B, E4B); a text model with per-layer inputs and shared keys, or with experts.
 * Source: transformers 5.24, `modeling_gemma4.py`.
 */
export const gemma4Family = defineFamily({
  modelType: "gemma4",
  components: {
    vision_tower: [PICTURES],
    multi_modal_projector: ["model.embed_vision"],
    audio_tower: [SOUNDS],
    audio_projector: ["model.embed_audio"],
    language_model: ["model.language_model", "lm_head"],
  },
  read: readGemma4Config,
  build: (config, header) => {
    const { vision, audio, text, imageTokenId, audioTokenId } = config;
    const { storedNames } = header;
    const projector = (name: string, epsilon: number) => (place: ConnectorPlace) =>
      normedLinear({ name: `model.${name}.embedding_projection`, outputSize: text.options.hiddenSize, epsilon }, place);
    const projections = projectionsOf(PICTURES, vision.isClipped, storedNames);
    return compose<string, string>({
      towers: {
        vision_tower: (place) => gemma4Tower(vision, { prefix: PICTURES, projections }, place),
        ...(audio && {
          audio_tower: (place: TowerPlace) =>
            gemma4AudioTower(
              audio,
              { prefix: SOUNDS, projections: projectionsOf(SOUNDS, audio.isClipped, storedNames) },
              place,
            ),
        }),
      },
      connectors: {
        multi_modal_projector: projector("embed_vision", vision.epsilon),
        ...(audio && { audio_projector: projector("embed_audio", audio.epsilon) }),
      },
      media: {
        image: { placeholder: imageTokenId, through: ["vision_tower", "multi_modal_projector"] },
        ...(audio && { audio: { placeholder: audioTokenId, through: ["audio_tower", "audio_projector"] as const } }),
      },
      ...gemma4TextParts(config, header),
    });
  },
  processor: loadGemma4Processor,
});

/** Bounds that no file has let everything pass. */
function projectionsOf(tower: string, isClipped: boolean, storedNames: ReadonlySet<string>): ProjectionKind {
  const isStored = (): boolean =>
    [...storedNames].some((name) => name.startsWith(`${tower}.`) && name.endsWith(".input_min"));
  return isClipped && (storedNames.size === 0 || isStored()) ? "clipped" : "wrapped";
}
