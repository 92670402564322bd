import { add, gatherRows, layerNorm, mul, reshape, type Value } from "@thaw/autograd";
import type { Scope } from "@thaw/contracts";
import * as tf from "@tensorflow/tfjs-core";
import { layerNormSpecs, linearSpecs } from "../../blocks/specs.js";
import type { Tower, TowerPlace } from "../../contract/parts.js";
import { normed } from "../../layers/norms.js";
import type { ConfigReader } from "../../reading/config-reader.js";
import { encoder } from "../encoder.js";
import { frameSpans, gridOf, patchCount, patchPlaces } from "../grids.js";
import { PIXEL_VALUES } from "../inputs.js";
import { patchesOf } from "../patches.js";

/** Sizes of what reads blocks of pixels without a tower. */
export interface PixelBlocksConfig {
  readonly hiddenSize: number;
  /** Side of a patch in pixels, and patches a side of a block. */
  readonly patchSize: number;
  readonly merge: number;
  /** Places along each axis of the table of positions. */
  readonly places: number;
  /** Of the norm without weight. */
  readonly epsilon: number;
}

/**
 * Reads `vision_config` of type `gemma4_unified_vision`. Defaults: transformers 5.24,
 * `configuration_gemma4_unified.py`. @throws THAW_CHECKPOINT_CONFIG
 */
export function readPixelBlocksConfig(config: ConfigReader): PixelBlocksConfig {
  config.choice("model_type", ["gemma4_unified_vision"], "gemma4_unified_vision");
  const hiddenSize = config.size("mm_embed_dim", 3840);
  if (config.size("output_proj_dims", 3840) !== hiddenSize)
    config.fail("output_proj_dims", `Blocks have ${hiddenSize} columns.`, "Give mm_embed_dim.");
  return {
    hiddenSize,
    patchSize: config.size("patch_size", 16),
    merge: config.size("pooling_kernel_size", 3),
    places: config.size("mm_posemb_size", 1120),
    epsilon: config.number("rms_norm_eps", 1e-6),
  };
}

/** How a checkpoint spells the names. */
export interface PixelBlocksNames {
  /** Prefix of norms, matrix and positions: `model.vision_embedder`. */
  readonly prefix: string;
  /** The last matrix: `model.embed_vision.embedding_projection`. */
  readonly projection: string;
}

/** Layer norms have PyTorch's default. */
const EPSILON = 1e-5;

/**
 * Gemma 4 12B's way from pixels to tokens: a norm over a block of pixels, a matrix, a norm, positions by column and by
 * row, a norm; then a norm without weight and a matrix. No row sees another one. Source: transformers 5.24,
 * `modeling_gemma4_unified.py`, `Gemma4UnifiedVisionEmbedder`.
 */
export function pixelBlocks(
  config: PixelBlocksConfig,
  { prefix, projection }: PixelBlocksNames,
  outputSize: number,
  place: TowerPlace,
): Tower {
  const { hiddenSize, places, epsilon } = config;
  const width = 3 * (config.patchSize * config.merge) ** 2;
  const [pixels, dense, hidden, positions, last] = [
    `${prefix}.patch_ln1`,
    `${prefix}.patch_dense`,
    `${prefix}.patch_ln2`,
    `${prefix}.pos_embedding`,
    `${prefix}.pos_norm`,
  ];
  const even = (x: Value, name: string, scope: Scope): Value =>
    layerNorm(x, scope.parameter(`${name}.weight`), scope.parameter(`${name}.bias`), EPSILON);
  return encoder(
    {
      reads: [PIXEL_VALUES],
      hiddenSize,
      embeddings: {
        specs: [
          ...layerNormSpecs(pixels, width),
          ...linearSpecs(dense, width, hiddenSize, true),
          ...layerNormSpecs(hidden, hiddenSize),
          { name: positions, shape: [places, 2, hiddenSize], role: "embedding" },
          ...layerNormSpecs(last, hiddenSize),
        ],
        run(batch, scope, items) {
          const grids = items.map(gridOf);
          const given = standardized(patchesOf(batch, place.component, width, grids.map(patchCount)), scope);
          const read = add(mul(given, scope.parameter(`${pixels}.weight`)), scope.parameter(`${pixels}.bias`));
          const embedded = even(scope.linear(read, dense), hidden, scope);
          const [rows, columns] = patchPlaces(grids, 1);
          const lines = reshape(scope.parameter(positions), [2 * places, hiddenSize]);
          const byColumn = gatherRows(
            lines,
            columns.map((at) => 2 * at),
          );
          const byRow = gatherRows(
            lines,
            rows.map((at) => 2 * at + 1),
          );
          return even(add(embedded, add(byColumn, byRow)), last, scope);
        },
      },
      layers: [],
      pass: (items) => () => ({ spans: frameSpans(items.map(gridOf)) }),
      featureStates: [0],
      features: {
        specs: linearSpecs(projection, hiddenSize, outputSize, false),
        run: (x, _items, scope) => scope.linear(normed(x, "", { epsilon, hasWeight: false }, scope), projection),
        outputSize,
      },
      signature: { tower: "pixel blocks", patchSize: config.patchSize, merge: config.merge, epsilon },
    },
    place,
  );
}

/**
 * Rows with mean 0 and variance 1. The mean is taken twice: a block of almost one colour is far from 0 beside what
 * tells its pixels apart, and float32 sums are then off by more than that.
 */
function standardized(pixels: tf.Tensor, scope: Scope): Value {
  return scope.own(
    tf.tidy(() => {
      const centre = (x: tf.Tensor): tf.Tensor => tf.sub(x, tf.mean(x, -1, true));
      const centred = centre(centre(pixels));
      return tf.mul(centred, tf.rsqrt(tf.add(tf.mean(tf.square(centred), -1, true), EPSILON)));
    }),
  );
}
