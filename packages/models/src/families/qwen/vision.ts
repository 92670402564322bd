import { shown } from "@thaw/contracts";
import type { RowBlock } from "../../layers/parts.js";
import type { NormOptions } from "../../layers/norms.js";
import { sizeUnder, type ConfigReader } from "../../reading/config-reader.js";
import { readPatchRotary } from "../../reading/patch-rotary.js";
import type { QwenTowerOptions } from "../../towers/qwen/qwen.js";

/** Names of a merger's parts behind its own. */
export interface MergerNames {
  readonly norm: string;
  readonly first: string;
  readonly second: string;
}

/** A `vision_config` of Qwen's, read. */
export interface QwenVision {
  readonly tower: Omit<QwenTowerOptions, "prefix" | "featureStates" | "outputs">;
  /** Columns of what the text reads. */
  readonly outputSize: number;
  readonly merger: { readonly names: MergerNames; readonly norm: NormOptions };
  /** Layers behind which a further merger reads, for the text's first layers (DeepStack), and which merger that is. */
  readonly deepstack: readonly { readonly layer: number; readonly merger: number }[];
}

/** What a generation of towers says of itself. */
export interface VisionForm {
  /** Model types that a `vision_config` of it has. */
  readonly types: readonly [string, ...string[]];
  /** Keys of the width of patches and of the rows that the text reads, and their defaults. */
  readonly width: readonly [key: string, fallback: number];
  readonly output: readonly [key: string, fallback: number];
  readonly depth: number;
  readonly patchSize: number;
  readonly norm: NormOptions;
  readonly hasPatchBias: boolean;
  readonly mergerNames: MergerNames;
  /** @throws THAW_CHECKPOINT_CONFIG */
  block(config: ConfigReader, hiddenSize: number): RowBlock;
  /** What else the tower has. @throws THAW_CHECKPOINT_CONFIG */
  more?(
    config: ConfigReader,
    tower: { readonly merge: number; readonly patchSize: number },
  ): Pick<QwenTowerOptions, "windows" | "tableSide">;
  /** Whether there are mergers for DeepStack, and behind which layers if the config does not say. */
  readonly deepstack?: readonly number[];
}

/** Reads `vision_config`. @throws THAW_CHECKPOINT_CONFIG */
export function readQwenVision(config: ConfigReader, form: VisionForm): QwenVision {
  config.choice("model_type", form.types, form.types[0]);
  const hiddenSize = config.size(...form.width);
  const headCount = sizeUnder(config, "num_heads", "num_attention_heads", 16);
  const layerCount = sizeUnder(config, "depth", "num_hidden_layers", form.depth);
  const [merge, patchSize] = [config.size("spatial_merge_size", 2), config.size("patch_size", form.patchSize)];
  return {
    tower: {
      hiddenSize,
      headCount,
      layerCount,
      merge,
      patchSize,
      channelCount: config.size(config.has("in_channels") ? "in_channels" : "in_chans", 3),
      frames: config.size("temporal_patch_size", 2),
      theta: readPatchRotary(config, hiddenSize, headCount),
      norm: form.norm,
      block: form.block(config, hiddenSize),
      hasPatchBias: form.hasPatchBias,
      ...form.more?.(config, { merge, patchSize }),
    },
    outputSize: config.size(...form.output),
    merger: { names: form.mergerNames, norm: form.norm },
    deepstack: form.deepstack === undefined ? [] : readDeepstack(config, form.deepstack, layerCount),
  };
}

/** A list of layers, also of such as the tower does not have. @throws THAW_CHECKPOINT_CONFIG */
export function readLayers(config: ConfigReader, key: string, fallback: readonly number[]): readonly number[] {
  const layers = config.raw[key] ?? fallback;
  if (Array.isArray(layers) && layers.every((layer) => Number.isSafeInteger(layer) && (layer as number) >= 0))
    return layers as number[];
  return config.fail(
    key,
    `The value ${shown(layers)} is not a list of layers.`,
    "Give a list of numbers from 0, one per layer.",
  );
}

/**
 * What feeds the text's first layers: the tower's states in their own order, each through the merger whose place in the
 * list its layer has.
 */
function readDeepstack(config: ConfigReader, fallback: readonly number[], layerCount: number): QwenVision["deepstack"] {
  const key = "deepstack_visual_indexes";
  const layers = readLayers(config, key, fallback);
  if (layers.some((layer) => layer >= layerCount) || new Set(layers).size < layers.length)
    config.fail(
      key,
      `The mergers ${shown(layers)} do not each read a layer of a tower with ${layerCount} of them.`,
      `Give different numbers from 0 to ${layerCount - 1}.`,
    );
  return layers.map((layer, merger) => ({ layer, merger })).toSorted((a, b) => a.layer - b.layer);
}

/** Places a side of a square table of positions. @throws THAW_CHECKPOINT_CONFIG */
export function readTableSide(config: ConfigReader): number {
  const count = config.size("num_position_embeddings", 2304);
  const side = Math.round(Math.sqrt(count));
  if (side ** 2 !== count)
    config.fail("num_position_embeddings", `${count} positions are not a square.`, "Give the square of a side.");
  return side;
}
