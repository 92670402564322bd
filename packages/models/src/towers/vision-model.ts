import type { Tower, TowerPlace } from "../contract/parts.js";
import type { ConfigReader } from "../reading/config-reader.js";
import { clipTower } from "./clip.js";
import { readClipConfig } from "./clip-config.js";
import { readSiglipConfig, siglipTower } from "./siglip.js";
import type { PictureSize, VitUse } from "./vit.js";

/** A tower over pictures of one size, as a `vision_config` describes it. */
export interface VisionModel extends PictureSize {
  readonly layerCount: number;
  readonly hasClassToken: boolean;
  /** `storedNames`: those of the checkpoint, which tell what it holds beyond the config. */
  tower(use: VitUse, storedNames: ReadonlySet<string>, place: TowerPlace): Tower;
}

/** Model types of towers that {@link readVisionModel} reads. */
export const VISION_MODEL_TYPES = ["clip_vision_model", "siglip_vision_model"] as const;

/** Reads `vision_config`, CLIP where it has no type. @throws THAW_CHECKPOINT_CONFIG */
export function readVisionModel(config: ConfigReader): VisionModel {
  const type = config.choice("model_type", VISION_MODEL_TYPES, "clip_vision_model");
  if (type === "siglip_vision_model") {
    const siglip = readSiglipConfig(config);
    return {
      ...siglip,
      hasClassToken: false,
      tower: (use, storedNames, place) =>
        siglipTower(siglip, { ...use, storesHead: storedNames.has(`${use.prefix}.head.probe`) }, place),
    };
  }
  const clip = readClipConfig(config);
  return { ...clip, hasClassToken: true, tower: (use, _storedNames, place) => clipTower(clip, use, place) };
}
