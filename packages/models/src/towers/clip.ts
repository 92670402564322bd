import { add, AttentionSpans, concat, reshape, slice, type Value } from "@thaw/autograd";
import type { MediaItem, Scope } from "@thaw/contracts";
import { fill, type Tensor } from "@tensorflow/tfjs-core";
import { layerNormSpecs } from "../blocks/specs.js";
import type { ParameterSpec } from "../contract/family.js";
import type { Tower, TowerPlace } from "../contract/parts.js";
import { normed, type NormOptions } from "../layers/norms.js";
import { plainMlp } from "../layers/plain-mlp.js";
import type { ClipConfig } from "./clip-config.js";
import { encoder } from "./encoder.js";
import { encoderLayer } from "./encoder-layer.js";
import { PIXEL_VALUES, tilesOf } from "./inputs.js";
import { embedPatches, patchEmbeddingSpecs, patchesOf, patchWidth, type PatchEmbeddingOptions } from "./patches.js";

/** What a model takes from a CLIP tower. */
export interface ClipUse {
  /** Prefix of the checkpoint's names: `vision_tower.vision_model`. */
  readonly prefix: string;
  /**
   * Hidden states, from 0 (the embeddings after the first norm) to the number of layers; joined along the last axis.
   */
  readonly featureStates: readonly number[];
  readonly keepClassToken: boolean;
}

/**
 * The vision tower of CLIP (Radford et al., arXiv:2103.00020) as transformers 5.23 has it in `modeling_clip.py`:
 * patches, class token, learned positions, `pre_layrnorm` (spelt so), pre-norm layers. Patches come cut, one per row,
 * and are multiplied, without a convolution. An item of several `tiles` has the rows of one after those of another.
 */
export function clipTower(config: ClipConfig, use: ClipUse, place: TowerPlace): Tower {
  const { channelCount, patchSize, hiddenSize, intermediateSize, headCount, activation, epsilon } = config;
  const { prefix, featureStates, keepClassToken } = use;
  const patchCount = Math.floor(config.imageSize / patchSize) ** 2;
  const norm: NormOptions = { kind: "layer", epsilon };
  const patch: PatchEmbeddingOptions = {
    name: `${prefix}.embeddings.patch_embedding`,
    hiddenSize,
    kernel: [channelCount, patchSize, patchSize],
    hasBias: false,
  };
  const layer = encoderLayer({
    hiddenSize,
    headCount,
    norm,
    block: plainMlp({ hiddenSize, intermediateSize, activation }),
  });
  const rowsOf =
    (perTile: number) =>
    (item: MediaItem): number =>
      perTile * tilesOf(item);
  return encoder(
    {
      reads: [PIXEL_VALUES],
      hiddenSize,
      embeddings: {
        specs: embeddingSpecs(config, patch, prefix, patchCount),
        rows: rowsOf(patchCount + 1),
        run(batch, scope, items) {
          const counts = items.map((item) => patchCount * tilesOf(item));
          const patches = patchesOf(batch, place.component, patchWidth(patch), counts);
          return normed(embed(patches, patch, prefix, patchCount, scope), `${prefix}.pre_layrnorm`, norm, scope);
        },
      },
      layers: Array.from({ length: config.layerCount }, (_, index) => ({
        name: `${prefix}.encoder.layers.${index}`,
        layer,
      })),
      pass(items) {
        const tiles = items.reduce((total, item) => total + tilesOf(item), 0);
        const spans = AttentionSpans.even(tiles, patchCount + 1, false);
        return () => ({ spans });
      },
      featureStates,
      features: {
        specs: [],
        rows: rowsOf(patchCount + (keepClassToken ? 1 : 0)),
        run: (joined) => (keepClassToken ? joined : dropFirst(joined, patchCount + 1)),
      },
      unused: layerNormSpecs(`${prefix}.post_layernorm`, hiddenSize),
      signature: { tower: "clip", epsilon, patchSize, keepClassToken },
    },
    place,
  );
}

function embeddingSpecs(
  { hiddenSize }: ClipConfig,
  patch: PatchEmbeddingOptions,
  prefix: string,
  patchCount: number,
): readonly ParameterSpec[] {
  const name = `${prefix}.embeddings`;
  return [
    { name: `${name}.class_embedding`, shape: [hiddenSize], role: "embedding" },
    ...patchEmbeddingSpecs(patch),
    { name: `${name}.position_embedding.weight`, shape: [patchCount + 1, hiddenSize], role: "embedding" },
    ...layerNormSpecs(`${prefix}.pre_layrnorm`, hiddenSize),
  ];
}

/** `[tiles * patches, width]` to `[tiles * tokens, hidden]`, a class token before the patches of each. */
function embed(given: Tensor, patch: PatchEmbeddingOptions, prefix: string, patchCount: number, scope: Scope): Value {
  const { hiddenSize } = patch;
  const tiles = given.shape[0]! / patchCount;
  const embedded = reshape(embedPatches(given, patch, scope), [tiles, patchCount, hiddenSize]);
  const classToken = reshape(scope.parameter(`${prefix}.embeddings.class_embedding`), [1, 1, hiddenSize]);
  const classTokens = add(scope.own(fill([tiles, 1, hiddenSize], 0)), classToken);
  const x = add(concat([classTokens, embedded], 1), scope.parameter(`${prefix}.embeddings.position_embedding.weight`));
  return reshape(x, [tiles * (patchCount + 1), hiddenSize]);
}

/** `[tiles * tokens, width]` without the first row of each tile. */
function dropFirst(x: Value, tokens: number): Value {
  const [rows, width] = x.shape as [number, number];
  const tiles = rows / tokens;
  const whole = reshape(x, [tiles, tokens, width]);
  return reshape(slice(whole, [0, 1, 0], [tiles, tokens - 1, width]), [rows - tiles, width]);
}
