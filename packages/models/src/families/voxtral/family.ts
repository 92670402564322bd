import { mergedMlp } from "../../connectors/merged-mlp.js";
import { defineFamily } from "../../contract/define-family.js";
import { textDecoder } from "../../decoders/text-decoder.js";
import { AUDIO_MODULES } from "../../owners/module-names.js";
import { textFacts } from "../../reading/special-tokens.js";
import { INPUT_FEATURES } from "../../towers/inputs.js";
import { whisperRows, whisperTower, type WhisperUse } from "../../towers/whisper/tower.js";
import { AUDIO_COMPONENTS, audioTextNames, audioTowerPrefix } from "../audio-names.js";
import { compose } from "../compose.js";
import { projectorPrefix } from "../llava-names.js";
import { readVoxtralConfig } from "./config.js";
import { loadVoxtralProcessor } from "./processor.js";

/**
 * Voxtral (Liu et al., arXiv:2507.13264): Whisper encoder over chunks of 30 s, four rows side by side, two matrices,
 * Llama. Source: transformers 5.24, `modeling_voxtral.py`. Reads published names and those of transformers 5's modules.
 */
export const voxtralFamily = defineFamily({
  modelType: "voxtral",
  components: AUDIO_COMPONENTS,
  moduleNames: AUDIO_MODULES,
  read: readVoxtralConfig,
  build: (config, { config: reader, generationConfig, storedNames }) => {
    const { audio, text, stacked, isTied } = config;
    const use: WhisperUse = {
      prefix: audioTowerPrefix(storedNames),
      chunks: ({ inputs }) => ({
        count: inputs[INPUT_FEATURES]!.rows / (2 * audio.maxPositions),
        positions: audio.maxPositions,
      }),
      isPooled: false,
    };
    const projector = {
      prefix: projectorPrefix(storedNames),
      merged: stacked,
      rows: (item: Parameters<typeof use.chunks>[0]) => whisperRows(use, item) / stacked,
      innerSize: text.options.hiddenSize,
      outputSize: text.options.hiddenSize,
      activation: config.projectorActivation,
      hasBias: false,
    };
    return compose({
      towers: { audio_tower: (place) => whisperTower(audio, use, place) },
      connectors: { audio_projector: (place) => mergedMlp(projector, place) },
      decoder: (place) => textDecoder(text.options, audioTextNames(isTied, storedNames), place),
      media: { audio: { placeholder: config.audioTokenId, through: ["audio_tower", "audio_projector"] } },
      text: textFacts(text, reader, generationConfig),
    });
  },
  processor: loadVoxtralProcessor,
});
