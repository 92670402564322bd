import { type ImageSize, LLAVA_NEXT_PINPOINTS, readPinpoints } from "@thaw/data";
import type { ConfigReader } from "../../reading/config-reader.js";
import type { VisionModel } from "../../towers/vision-model.js";
import { gridSide } from "../../towers/vit.js";
import { LLAVA_DEFAULTS, type LlavaConfig, type LlavaDefaults, readLlavaConfig } from "../llava/config.js";

/** Everything that config.json says about a LLaVA whose pictures come in tiles. */
export interface AnyresConfig extends Omit<LlavaConfig, "vision"> {
  readonly vision: VisionModel;
  /** Sizes of which the one that fits a picture best is cut into tiles. */
  readonly pinpoints: readonly ImageSize[];
  /** Rows a side that a tile becomes. */
  readonly side: number;
  /** See `AnyresLayout.tileLimit`. */
  readonly tileLimit?: number;
}

/** What a type of LLaVA with tiles assumes where its config is silent. */
export interface AnyresDefaults extends LlavaDefaults {
  readonly pinpoints: readonly (readonly [number, number])[];
}

/**
 * Reads what types of LLaVA with tiles have in common. @throws THAW_CHECKPOINT_CONFIG, also where a tile would not
 * become a square of rows, as class tokens are kept or patches dropped
 */
export function readAnyresConfig(config: ConfigReader, defaults: AnyresDefaults): AnyresConfig {
  const { vision, ...rest } = readLlavaConfig(config, defaults);
  if (vision.type === "pixtral")
    return config
      .child("vision_config")
      .fail(
        "model_type",
        "A Pixtral tower reads pictures of any size, and this type cuts them into tiles of one.",
        "Give a CLIP or SigLIP tower.",
      );
  const { model } = vision;
  if (model.hasClassToken === rest.keepClassToken)
    config.fail(
      "vision_feature_select_strategy",
      model.hasClassToken
        ? "The class token stays among the patches of each tile, which are then not a square."
        : "The tower has no class token, and the first patch of each tile would be dropped.",
      `Set it to ${model.hasClassToken ? "default" : "full"}.`,
    );
  const pinpoints = readPinpoints(config.raw["image_grid_pinpoints"] ?? defaults.pinpoints, config.file);
  return { ...rest, vision: model, pinpoints, side: gridSide(model) };
}

/**
 * Reads config.json of LLaVA-NeXT. Names and defaults: transformers 5.24, `configuration_llava_next.py`. @throws
 * THAW_CHECKPOINT_CONFIG
 */
export function readLlavaNextConfig(config: ConfigReader): AnyresConfig {
  return readAnyresConfig(config, { ...LLAVA_DEFAULTS, pinpoints: LLAVA_NEXT_PINPOINTS });
}
