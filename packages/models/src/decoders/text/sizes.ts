import { shown } from "@thaw/contracts";
import type { ConfigReader } from "../../reading/config-reader.js";
import type { TextDecoderOptions } from "../text-decoder.js";

/** A text model's decoder and what else its config says. */
export interface TextModel {
  readonly options: TextDecoderOptions;
  readonly maxPositions: number;
  /** Whether the output layer is the embedding, if the config says nothing of it. */
  readonly isTied: boolean;
}

/** Sizes that all text models have. */
export interface TextSizes {
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly layerCount: number;
  readonly headCount: number;
  readonly keyValueHeadCount: number;
  readonly headSize: number;
  readonly vocabularySize: number;
  readonly maxPositions: number;
}

/** Sizes where a config does not say them. */
export interface DefaultSizes extends Omit<TextSizes, "headSize" | "keyValueHeadCount"> {
  /** Absent, and where a config says `null`: as many as heads. */
  readonly keyValueHeadCount?: number;
  /** Absent: the hidden size over the heads. */
  readonly headSize?: number;
}

/** Reads sizes. @throws THAW_CHECKPOINT_CONFIG where they do not go together, or dropout is asked for */
export function readSizes(config: ConfigReader, defaults: DefaultSizes): TextSizes {
  const hiddenSize = config.size("hidden_size", defaults.hiddenSize);
  const headCount = config.size("num_attention_heads", defaults.headCount);
  const keyValueHeadCount = config.size(
    "num_key_value_heads",
    config.raw["num_key_value_heads"] === null ? headCount : (defaults.keyValueHeadCount ?? headCount),
  );
  if (headCount % keyValueHeadCount !== 0)
    config.fail(
      "num_key_value_heads",
      `${keyValueHeadCount} key/value heads do not divide num_attention_heads ${headCount}.`,
      "Give a number that divides it.",
    );
  const headSize = config.size("head_dim", defaults.headSize ?? Math.floor(hiddenSize / headCount));
  if (headSize % 2 !== 0)
    config.fail(
      "head_dim",
      `The head size ${headSize} is odd; rotary positions turn pairs.`,
      "Give an even head size.",
    );
  if (config.number("attention_dropout", 0) !== 0)
    config.fail("attention_dropout", "Dropout of attention is not supported.", "Set it to 0.");
  if (config.boolean("output_router_logits", false))
    config.fail(
      "output_router_logits",
      "The loss that keeps experts equally busy is not supported.",
      "Set it to false: the loss is that of the tokens alone.",
    );
  return {
    hiddenSize,
    headCount,
    keyValueHeadCount,
    headSize,
    intermediateSize: config.size("intermediate_size", defaults.intermediateSize),
    layerCount: config.size("num_hidden_layers", defaults.layerCount),
    vocabularySize: config.size("vocab_size", defaults.vocabularySize),
    maxPositions: config.size("max_position_embeddings", defaults.maxPositions),
  };
}

/** Reads `layer_types`, one of `allowed` per layer. @throws THAW_CHECKPOINT_CONFIG */
export function readLayerTypes<T extends string>(
  config: ConfigReader,
  count: number,
  allowed: readonly T[],
  fallback: (layer: number) => T,
): readonly T[] {
  const given = config.raw["layer_types"];
  if (given === undefined || given === null) return Array.from({ length: count }, (_, layer) => fallback(layer));
  const isRight = Array.isArray(given) && given.length === count && given.every((type) => allowed.includes(type as T));
  if (isRight) return given as T[];
  return config.fail(
    "layer_types",
    `The value ${shown(given)} does not name a supported type for each of ${count} layers.`,
    `Supported: ${allowed.join(", ")}.`,
  );
}
