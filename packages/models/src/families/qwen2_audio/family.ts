import { convolvedRows } from "@thaw/data";
import { linearProjector } from "../../connectors/linear.js";
import { defineFamily } from "../../contract/define-family.js";
import { textDecoder } from "../../decoders/text-decoder.js";
import { AUDIO_MODULES } from "../../owners/module-names.js";
import { textFacts } from "../../reading/special-tokens.js";
import { whisperTower, type WhisperUse } from "../../towers/whisper/tower.js";
import { AUDIO_COMPONENTS, audioTextNames, audioTowerPrefix } from "../audio-names.js";
import { compose } from "../compose.js";
import { projectorPrefix } from "../llava-names.js";
import { readQwen2AudioConfig } from "./config.js";
import { loadQwen2AudioProcessor } from "./processor.js";

/**
 * Qwen2-Audio (Chu et al., arXiv:2407.10759): Whisper encoder, pooled by two, one matrix, Qwen2 or another text model.
 * Source: transformers 5.24, `modeling_qwen2_audio.py`. Reads published names and those of transformers 5's modules.
 */
export const qwen2AudioFamily = defineFamily({
  modelType: "qwen2_audio",
  components: AUDIO_COMPONENTS,
  moduleNames: AUDIO_MODULES,
  read: readQwen2AudioConfig,
  build: ({ audio, text, audioTokenId, isTied }, { config: reader, generationConfig, storedNames }) => {
    const use: WhisperUse = {
      prefix: audioTowerPrefix(storedNames),
      // Behind the convolutions only rows that begin in the clip are seen; padding behind it is masked.
      chunks: ({ facts }) => ({ count: 1, positions: convolvedRows(facts["frames"]![0]!) }),
      isPooled: true,
    };
    const projector = {
      name: `${projectorPrefix(storedNames, "linear")}.linear`,
      outputSize: text.options.hiddenSize,
      hasBias: true,
    };
    return compose({
      towers: { audio_tower: (place) => whisperTower(audio, use, place) },
      connectors: { audio_projector: (place) => linearProjector(projector, place) },
      decoder: (place) => textDecoder(text.options, audioTextNames(isTied, storedNames), place),
      media: { audio: { placeholder: audioTokenId, through: ["audio_tower", "audio_projector"] } },
      text: textFacts(text, reader, generationConfig),
    });
  },
  processor: loadQwen2AudioProcessor,
});
