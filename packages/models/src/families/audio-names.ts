import { findPrefix } from "../blocks/layout.js";
import type { TextNames } from "../decoders/text-decoder.js";
import type { ConfigReader } from "../reading/config-reader.js";
import { LLAVA_COMPONENTS, llavaTextNames, readTied } from "./llava-names.js";

/** Owners of models that hear and do not see; what files call the multi-modal projector is the audio projector. */
export const AUDIO_COMPONENTS = {
  audio_tower: ["audio_tower", "model.audio_tower"],
  audio_projector: LLAVA_COMPONENTS.multi_modal_projector,
  language_model: LLAVA_COMPONENTS.language_model,
};

/** How a file spells the prefix of an audio tower. */
export function audioTowerPrefix(storedNames: ReadonlySet<string>): string {
  return findPrefix(storedNames, ["audio_tower", "model.audio_tower"], "layers");
}

/**
 * How a file spells the text model. A stored output layer is the model's own, whatever the config says (transformers
 * 5.24 ties nothing in these models); one that is not stored is the embedding if the config says that it is tied.
 */
export function audioTextNames(isTied: boolean, storedNames: ReadonlySet<string>): TextNames {
  return llavaTextNames(isTied ? "unclear" : false, storedNames);
}

/**
 * Whether config.json says, in either place, that output layer and embedding are tied. @throws THAW_CHECKPOINT_CONFIG
 */
export function readAudioTied(config: ConfigReader): boolean {
  return readTied(config, false) !== false;
}
