import { shown } from "@thaw/contracts";
import type { ConfigReader } from "../reading/config-reader.js";

/**
 * `vision_feature_layer`: an index into the hidden states (layers + 1 of them), from the end if negative, or a list of
 * such; counted from 0. @throws THAW_CHECKPOINT_CONFIG
 */
export function readFeatureStates(config: ConfigReader, layerCount: number, fallback = -2): readonly number[] {
  const value = config.raw["vision_feature_layer"] ?? fallback;
  const states = Array.isArray(value) ? (value as unknown[]) : [value];
  const isState = (state: unknown): state is number =>
    Number.isSafeInteger(state) && (state as number) >= -layerCount - 1 && (state as number) <= layerCount;
  if (states.length > 0 && states.every(isState))
    return states.map((state) => (state < 0 ? state + layerCount + 1 : state));
  return config.fail(
    "vision_feature_layer",
    `The value ${shown(value)} names no hidden state of a tower with ${layerCount} layers.`,
    `Give an integer from ${-layerCount - 1} to ${layerCount} (0 is the embeddings), or a list of them.`,
  );
}
