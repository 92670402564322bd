import { rotaryFrequencies, type RotaryOptions } from "../../blocks/rope.js";
import type { Tower, TowerPlace } from "../../contract/parts.js";
import { gatedMlp } from "../../layers/gated-mlp.js";
import { normed, normSpecs, type NormOptions } from "../../layers/norms.js";
import { encoder } from "../encoder.js";
import { encoderLayer } from "../encoder-layer.js";
import { gridOf, patchCount, patchPass } from "../grids.js";
import { PIXEL_VALUES } from "../inputs.js";
import { embedPatches, patchEmbeddingSpecs, patchesOf, patchWidth, type PatchEmbeddingOptions } from "../patches.js";
import type { PixtralConfig } from "./config.js";

/** What a model takes from a Pixtral tower. */
export interface PixtralUse {
  /** Prefix of the checkpoint's names: `vision_tower`. */
  readonly prefix: string;
  /** Hidden states, from 0 (the embeddings after the first norm) to the number of layers; joined side by side. */
  readonly featureStates: readonly number[];
  /** Patches a side of the blocks in whose order they come. */
  readonly merge: number;
}

/** Added to mean squares by all norms. */
const EPSILON = 1e-5;

/**
 * The tower of Pixtral (Agrawal et al., arXiv:2410.07073): images of any size, whose patches see those of their own
 * image and are turned by row and column. Source: transformers 5.24, `modeling_pixtral.py`.
 */
export function pixtralTower(config: PixtralConfig, use: PixtralUse, place: TowerPlace): Tower {
  const { channelCount, patchSize, hiddenSize, intermediateSize, headCount, activation } = config;
  const { prefix, featureStates, merge } = use;
  const norm: NormOptions = { epsilon: EPSILON };
  const patch: PatchEmbeddingOptions = {
    name: `${prefix}.patch_conv`,
    hiddenSize,
    kernel: [channelCount, patchSize, patchSize],
    hasBias: false,
  };
  const layer = encoderLayer({
    hiddenSize,
    headCount,
    norm,
    biases: false,
    block: gatedMlp({ hiddenSize, intermediateSize, activation, names: { whole: "feed_forward" } }),
    names: { attention: "attention", output: "o_proj", firstNorm: "attention_norm", secondNorm: "ffn_norm" },
  });
  const rotary = { name: `${place.component} patches`, options: rotaryOf(hiddenSize / headCount, config.theta) };
  return encoder(
    {
      reads: [PIXEL_VALUES],
      hiddenSize,
      embeddings: {
        specs: [...patchEmbeddingSpecs(patch), ...normSpecs(`${prefix}.ln_pre`, hiddenSize, norm)],
        run(batch, scope, items) {
          const counts = items.map((item) => patchCount(gridOf(item)));
          const patches = patchesOf(batch, place.component, patchWidth(patch), counts);
          return normed(embedPatches(patches, patch, scope), `${prefix}.ln_pre`, norm, scope);
        },
      },
      layers: Array.from({ length: config.layerCount }, (_, index) => ({
        name: `${prefix}.transformer.layers.${index}`,
        layer,
      })),
      pass(items, scope) {
        const pass = patchPass(items.map(gridOf), merge, rotary, scope);
        return () => pass;
      },
      featureStates,
      signature: { tower: "pixtral", patchSize, merge, theta: config.theta },
    },
    place,
  );
}

/** Pairs 0, 2, 4 ... of a head's frequencies turn by row, in its first half, and pairs 1, 3, 5 ... by column. */
function rotaryOf(headSize: number, theta: number): RotaryOptions {
  const plain = rotaryFrequencies(headSize, theta);
  const order = [0, 1].flatMap((axis) => Array.from({ length: headSize / 4 }, (_, pair) => 2 * pair + axis));
  return { frequencies: Float32Array.from(order, (pair) => plain[pair]!), axes: order.map((pair) => pair % 2) };
}
