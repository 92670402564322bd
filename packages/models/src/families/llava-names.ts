import { findPrefix } from "../blocks/layout.js";
import type { TextNames } from "../decoders/text-decoder.js";
import type { ConfigReader } from "../reading/config-reader.js";

/** Owners where parts are named as in LLaVA, in published files and in transformers' modules. */
export const LLAVA_COMPONENTS = {
  vision_tower: ["vision_tower", "model.vision_tower"],
  multi_modal_projector: ["multi_modal_projector", "model.multi_modal_projector"],
  language_model: ["language_model", "model.language_model", "lm_head"],
};

/** How a file spells the prefix of LLaVA's tower, in which `probe` is. */
export function towerPrefix(storedNames: ReadonlySet<string>, probe = "encoder.layers"): string {
  return findPrefix(
    storedNames,
    ["vision_tower.vision_model", "vision_tower", "model.vision_tower", "model.vision_tower.vision_model"],
    probe,
  );
}

/** How a file spells the prefix of LLaVA's projector, in which `probe` is. */
export function projectorPrefix(storedNames: ReadonlySet<string>, probe = "linear_1"): string {
  return findPrefix(storedNames, ["multi_modal_projector", "model.multi_modal_projector"], probe);
}

/** How a file spells LLaVA's text model. `tied`: see {@link readTied}. */
export function llavaTextNames(tied: boolean | "unclear", storedNames: ReadonlySet<string>): TextNames {
  const prefix = findPrefix(storedNames, ["language_model.model", "model.language_model", "language_model"], "layers");
  const head = prefix === "language_model.model" ? "language_model.lm_head" : "lm_head";
  return textNames(prefix, head, tied, storedNames);
}

/**
 * Names of a text model under `prefix` with its output layer at `head`. Where it is unclear whether that layer is the
 * embedding (see {@link readTied}), it is unless it is stored.
 */
export function textNames(
  prefix: string,
  head: string,
  tied: boolean | "unclear",
  storedNames: ReadonlySet<string>,
): TextNames {
  return { prefix, head, isTied: tied === "unclear" ? !storedNames.has(`${head}.weight`) : tied };
}

const TIED_KEYS = ["tie_embedding", "tie_word_embeddings"];

/**
 * Whether the output layer is the embedding. Version 4 heeds `text_config.tie_word_embeddings`, version 5 the one at
 * the top; where they disagree, or neither is there and `fallback` says so, it is unclear: a stored output layer is
 * right either way. `tie_embedding` (LFM2) is the same under another name, and wins. @throws THAW_CHECKPOINT_CONFIG
 */
export function readTied(config: ConfigReader, fallback: boolean | "unclear"): boolean | "unclear" {
  const said = [config, config.child("text_config")].flatMap((reader) => {
    const key = TIED_KEYS.find((name) => reader.has(name));
    return key === undefined ? [] : [reader.boolean(key, false)];
  });
  return said.every((value) => value === said[0]) ? (said[0] ?? fallback) : "unclear";
}
