import { shown } from "@thaw/contracts";
import { LLAVA_ONEVISION_PINPOINTS } from "@thaw/data";
import type { ConfigReader } from "../../reading/config-reader.js";
import { type AnyresConfig, type AnyresDefaults, readAnyresConfig } from "../llava_next/config.js";

const DEFAULTS: AnyresDefaults = {
  vision: {
    model_type: "siglip_vision_model",
    hidden_size: 1152,
    intermediate_size: 4304,
    num_hidden_layers: 26,
    num_attention_heads: 16,
    image_size: 384,
    patch_size: 14,
  },
  text: "qwen2",
  imageTokenId: 151646,
  featureLayer: -1,
  keepsClassToken: true,
  pinpoints: LLAVA_ONEVISION_PINPOINTS,
};

/**
 * Reads config.json of LLaVA-OneVision. Names and defaults: transformers 5.24, `configuration_llava_onevision.py`.
 * @throws THAW_CHECKPOINT_CONFIG
 */
export function readLlavaOnevisionConfig(config: ConfigReader): AnyresConfig {
  return { ...readAnyresConfig(config, DEFAULTS), tileLimit: readTileLimit(config) };
}

/** The bound of tiles in `vision_aspect_ratio`. @throws THAW_CHECKPOINT_CONFIG for one that names none */
function readTileLimit(config: ConfigReader): number {
  const value = config.raw["vision_aspect_ratio"] ?? "anyres_max_9";
  const [, limit] = typeof value === "string" ? (/^anyres_max_([1-9]\d*)$/.exec(value) ?? []) : [];
  if (limit !== undefined) return Number(limit);
  return config.fail(
    "vision_aspect_ratio",
    `The value ${shown(value)} names no number of tiles.`,
    "Write anyres_max_ and a number of tiles.",
  );
}
