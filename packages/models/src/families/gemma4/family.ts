import { normedLinear } from "../../connectors/normed-linear.js";
import { defineFamily } from "../../contract/define-family.js";
import { textDecoder } from "../../decoders/text-decoder.js";
import type { ProjectionKind } from "../../layers/projection.js";
import { readSpecialTokens } from "../../reading/special-tokens.js";
import { gemma4Tower } from "../../towers/gemma4/gemma4.js";
import { compose } from "../compose.js";
import { itemRuns } from "../item-runs.js";
import { textNames } from "../llava-names.js";
import { readGemma4Config, type Gemma4Config } from "./config.js";
import { keptTensors } from "./kept.js";
import { loadGemma4Processor } from "./processor.js";

const TOWER = "model.vision_tower";
const TEXT = "model.language_model";
const SOUND = ["model.audio_tower", "model.embed_audio"];

/**
 * Gemma 4 (E2B, E4B, 26B-A4B, 31B): a tower over pictures of any grid, means of blocks, a norm and a matrix, a text model
 * with per-layer inputs and shared keys, or with experts. Source: transformers 5.24, `modeling_gemma4.py`. Its tower for sound is kept in the
 * files and not run.
 */
export const gemma4Family = defineFamily({
  modelType: "gemma4",
  components: {
    vision_tower: [TOWER],
    multi_modal_projector: ["model.embed_vision"],
    audio_tower: ["model.audio_tower"],
    audio_projector: ["model.embed_audio"],
    language_model: [TEXT, "lm_head"],
  },
  read: readGemma4Config,
  build: (config, header) => {
    const { config: reader, generationConfig, storedNames } = header;
    const { vision, text, imageTokenId } = config;
    if (config.hasAudio && storedNames.size === 0)
      reader.fail("audio_config", "A tower for sound cannot be made anew.", "Set it to null.");
    const names = textNames(TEXT, "lm_head", config.tied, storedNames);
    const firstSharing = text.options.layers.findIndex(({ takesFrom }) => takesFrom !== undefined);
    return compose({
      towers: {
        vision_tower: (place) =>
          gemma4Tower(vision, { prefix: TOWER, projections: projectionsOf(config, storedNames) }, place),
      },
      connectors: {
        multi_modal_projector: (place) =>
          normedLinear(
            {
              name: "model.embed_vision.embedding_projection",
              outputSize: text.options.hiddenSize,
              epsilon: vision.epsilon,
            },
            place,
          ),
      },
      decoder: (place) => textDecoder(text.options, names, place),
      media: { image: { placeholder: imageTokenId, through: ["vision_tower", "multi_modal_projector"] } },
      ...(config.seesBothWays && { attending: { seesBothWays: itemRuns } }),
      text: {
        maxPositions: text.maxPositions,
        ...readSpecialTokens(reader, reader.child("text_config"), generationConfig),
      },
      unused: keptTensors(header, SOUND, TEXT, firstSharing < 0 ? Infinity : firstSharing),
    });
  },
  processor: loadGemma4Processor,
});

/** Bounds that no file has let everything pass. */
function projectionsOf({ vision }: Gemma4Config, storedNames: ReadonlySet<string>): ProjectionKind {
  const isStored = (): boolean =>
    [...storedNames].some((name) => name.startsWith(`${TOWER}.`) && name.endsWith(".input_min"));
  return vision.isClipped && (storedNames.size === 0 || isStored()) ? "clipped" : "wrapped";
}
