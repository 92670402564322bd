import type { ConfigReader } from "../../reading/config-reader.js";
import { checkHeads, readTowerSizes, type TowerSizes } from "../sizes.js";

/** Sizes of MiniCPM-V 4.6's vision tower. */
export interface MiniCpmVisionConfig extends TowerSizes {
  readonly patchSize: number;
  /** Places a side of the table of positions. */
  readonly places: number;
  readonly epsilon: number;
  /** The layer behind which windows of 2x2 patches become one. Absent: they do not (`downsample_mode` 4x). */
  readonly mergesBehind?: number;
}

/**
 * Reads `vision_config`, and what config.json says of the merger inside the tower. Defaults: transformers 5.24,
 * `configuration_minicpmv4_6.py`. @throws THAW_CHECKPOINT_CONFIG
 */
export function readMiniCpmVisionConfig(whole: ConfigReader): MiniCpmVisionConfig {
  const config = whole.child("vision_config");
  config.choice("model_type", ["minicpmv4_6_vision"], "minicpmv4_6_vision");
  const sizes = readTowerSizes(config, {
    hiddenSize: 768,
    intermediateSize: 3072,
    layerCount: 12,
    headCount: 12,
    activation: "gelu_pytorch_tanh",
  });
  const { layerCount } = sizes;
  checkHeads(config, sizes);
  checkKernel(config, "window_kernel_size");
  checkKernel(whole, "merge_kernel_size");
  if (whole.boolean("drop_vision_last_layer", false))
    whole.fail("drop_vision_last_layer", "A tower without its last layer is not supported.", "Set it to false.");
  if (whole.size("merger_times", 1) !== 1)
    whole.fail("merger_times", "The processor writes tokens for one merger.", "Set it to 1.");
  const behind = whole.number("insert_layer_id", 6);
  const isMerging = whole.choice("downsample_mode", ["16x", "4x"] as const, "16x") === "16x";
  if (isMerging && (!Number.isSafeInteger(behind) || behind < 0 || behind >= layerCount))
    whole.fail("insert_layer_id", `${behind} is no layer of ${layerCount}.`, `Give 0 to ${layerCount - 1}.`);
  const patchSize = config.size("patch_size", 16);
  return {
    ...sizes,
    patchSize,
    places: Math.floor(config.size("image_size", 224) / patchSize),
    epsilon: config.number("layer_norm_eps", 1e-6),
    ...(isMerging && { mergesBehind: behind }),
  };
}

function checkKernel(config: ConfigReader, key: string): void {
  const value = config.raw[key] ?? [2, 2];
  if (JSON.stringify(value) !== "[2,2]")
    config.fail(key, `Blocks of ${JSON.stringify(value)} are not supported.`, "Give [2, 2].");
}
