import type { ConfigReader } from "../../reading/config-reader.js";
import { readPatchRotary } from "../../reading/patch-rotary.js";
import { readTowerSizes, type TowerSizes } from "../sizes.js";

/** Sizes of a Pixtral vision tower. */
export interface PixtralConfig extends TowerSizes {
  readonly patchSize: number;
  /** Base of the rotary frequencies. */
  readonly theta: number;
}

/**
 * Reads `vision_config`. Defaults: transformers 5.24, `configuration_pixtral.py`, `PixtralVisionConfig`. Its
 * `image_size` decides nothing. @throws THAW_CHECKPOINT_CONFIG
 */
export function readPixtralConfig(config: ConfigReader): PixtralConfig {
  config.choice("model_type", ["pixtral"], "pixtral");
  const sizes = readTowerSizes(config, {
    hiddenSize: 1024,
    intermediateSize: 4096,
    layerCount: 24,
    headCount: 16,
    activation: "gelu",
  });
  return {
    ...sizes,
    patchSize: config.size("patch_size", 16),
    theta: readPatchRotary(config, sizes.hiddenSize, sizes.headCount),
  };
}
