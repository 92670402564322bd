import { add, gatherRows, mean, mul, reshape, scale, sub, type Value } from "@thaw/autograd";
import type { MediaItem, Scope } from "@thaw/contracts";
import * as tf from "@tensorflow/tfjs-core";
import { rotaryFrequencies, type RotaryOptions } from "../../blocks/rope.js";
import { linearSpecs } from "../../blocks/specs.js";
import type { ParameterSpec } from "../../contract/family.js";
import type { Tower, TowerPlace } from "../../contract/parts.js";
import type { ProjectionKind } from "../../layers/projection.js";
import { linesAt } from "../../passes/rotary-lines.js";
import { encoder } from "../encoder.js";
import { frameSpans, gridOf, mergedRows, patchCount, patchPlaces } from "../grids.js";
import { PIXEL_VALUES } from "../inputs.js";
import { patchesOf } from "../patches.js";
import type { Gemma4VisionConfig } from "./config.js";
import { gemma4Layer } from "./layer.js";

/** What a model takes from a Gemma 4 tower. */
export interface Gemma4TowerUse {
  /** Prefix of the checkpoint's names: `model.vision_tower`. */
  readonly prefix: string;
  readonly projections: ProjectionKind;
}

/**
 * The vision tower of Gemma 4: pictures of any grid, positions learned per axis and turned by axis, and means of blocks
 * of patches, times the root of their width. Patches come pixel by pixel, between 0 and 1, those of a block one after
 * the other. Padding, which the reference masks, is not there. Source: transformers 5.24, `modeling_gemma4.py`.
 */
export function gemma4Tower(config: Gemma4VisionConfig, use: Gemma4TowerUse, place: TowerPlace): Tower {
  const { hiddenSize, headSize, layerCount, patchSize, merge, places, theta, isStandardized } = config;
  const { prefix, projections } = use;
  const width = 3 * patchSize ** 2;
  const [patch, table] = [`${prefix}.patch_embedder.input_proj`, `${prefix}.patch_embedder.position_embedding_table`];
  const [bias, factor] = [`${prefix}.std_bias`, `${prefix}.std_scale`];
  const layer = gemma4Layer(config, projections);
  const rotary = { name: `${place.component} patches`, options: rotaryOf(headSize, theta) };
  const statistics: readonly ParameterSpec[] = isStandardized
    ? [
        { name: bias, shape: [hiddenSize], role: "bias", isBuffer: true },
        { name: factor, shape: [hiddenSize], role: "norm", isBuffer: true },
      ]
    : [];
  const axesOf = (items: readonly MediaItem[]): readonly [x: Int32Array, y: Int32Array] => {
    const [rows, columns] = patchPlaces(items.map(gridOf), merge);
    return [columns, rows];
  };
  return encoder(
    {
      reads: [PIXEL_VALUES],
      hiddenSize,
      embeddings: {
        specs: [
          ...linearSpecs(patch, width, hiddenSize, false),
          { name: table, shape: [2, places, hiddenSize], role: "embedding" },
        ],
        run(batch, scope, items) {
          const pixels = patchesOf(
            batch,
            place.component,
            width,
            items.map((item) => patchCount(gridOf(item))),
          );
          const [x, y] = axesOf(items);
          const lines = reshape(scope.parameter(table), [2 * places, hiddenSize]);
          const positions = add(
            gatherRows(lines, x),
            gatherRows(
              lines,
              y.map((at) => places + at),
            ),
          );
          return add(scope.linear(centred(pixels, scope), patch), positions);
        },
      },
      layers: Array.from({ length: layerCount }, (_, index) => ({ name: `${prefix}.encoder.layers.${index}`, layer })),
      pass(items, scope) {
        const lines = { spans: frameSpans(items.map(gridOf)), rotary: linesAt(rotary, axesOf(items), scope) };
        return () => lines;
      },
      featureStates: [layerCount],
      features: {
        specs: statistics,
        rows: mergedRows(merge),
        run(x, _items, scope) {
          const blocks = reshape(x, [x.shape[0]! / merge ** 2, merge ** 2, hiddenSize]);
          const pooled = scale(mean(blocks, 1), Math.sqrt(hiddenSize));
          return isStandardized ? mul(sub(pooled, scope.parameter(bias)), scope.parameter(factor)) : pooled;
        },
      },
      signature: { tower: "gemma4", patchSize, merge, theta, isStandardized },
    },
    place,
  );
}

/** Pixels between -1 and 1. */
function centred(pixels: tf.Tensor, scope: Scope): Value {
  return scope.own(tf.tidy(() => tf.mul(tf.sub(pixels, 0.5), 2)));
}

/** Half of the pairs of a head turns by x, the other half by y, at the speeds of a head of half the size. */
function rotaryOf(headSize: number, theta: number): RotaryOptions {
  const half = rotaryFrequencies(headSize / 2, theta);
  return {
    frequencies: Float32Array.of(...half, ...half),
    axes: [0, 1].flatMap((axis) => Array.from(half, () => axis)),
  };
}
