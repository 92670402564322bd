import { readActivation, type ActivationName } from "../blocks/activations.js";
import type { ConfigReader } from "../reading/config-reader.js";

/** Sizes that encoders of pictures have in common. */
export interface TowerSizes {
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly layerCount: number;
  readonly headCount: number;
  readonly channelCount: number;
  readonly activation: ActivationName;
}

/**
 * Reads them of `vision_config`, under the names that most types have; three channels where none are given. @throws
 * THAW_CHECKPOINT_CONFIG
 */
export function readTowerSizes(config: ConfigReader, defaults: Omit<TowerSizes, "channelCount">): TowerSizes {
  return {
    hiddenSize: config.size("hidden_size", defaults.hiddenSize),
    intermediateSize: config.size("intermediate_size", defaults.intermediateSize),
    layerCount: config.size("num_hidden_layers", defaults.layerCount),
    headCount: config.size("num_attention_heads", defaults.headCount),
    channelCount: config.size("num_channels", 3),
    activation: readActivation(config, "hidden_act", defaults.activation),
  };
}

/** Heads that divide the width, and no dropout. @throws THAW_CHECKPOINT_CONFIG */
export function checkHeads(
  config: ConfigReader,
  { hiddenSize, headCount }: Pick<TowerSizes, "hiddenSize" | "headCount">,
): void {
  if (hiddenSize % headCount !== 0)
    config.fail(
      "num_attention_heads",
      `${headCount} heads do not divide hidden_size ${hiddenSize}.`,
      "Give a number of heads that divides it.",
    );
  if (config.number("attention_dropout", 0) !== 0)
    config.fail("attention_dropout", "Dropout of attention is not supported.", "Set it to 0.");
}
