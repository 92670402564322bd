import { placeOf } from "@thaw/data";
import type { ParameterSpec } from "../../contract/family.js";
import type { Tower, TowerPlace } from "../../contract/parts.js";
import { plainMlp } from "../../layers/plain-mlp.js";
import { encoderLayer } from "../encoder-layer.js";
import { gridSide, vitTower, type VitUse } from "../vit.js";
import type { InternVitConfig } from "./config.js";

/** Added to mean squares by the norms of queries and keys. */
const HEAD_EPSILON = 1e-6;

/**
 * The tower of InternVL (Chen et al., arXiv:2312.14238): a vision transformer with a class token and layer scales,
 * whose patches come in blocks of `merge * merge`. Source: transformers 5.24, `modeling_internvl.py`.
 */
export function internVitTower(
  config: InternVitConfig,
  { merge, ...use }: VitUse & { readonly merge: number },
  place: TowerPlace,
): Tower {
  const { hiddenSize, intermediateSize, headCount, activation, epsilon, attentionBias } = config;
  const { prefix } = use;
  const norm = { kind: config.normKind, epsilon } as const;
  const layer = encoderLayer({
    hiddenSize,
    headCount,
    norm,
    block: plainMlp({ hiddenSize, intermediateSize, activation }),
    biases: { queries: attentionBias, keys: attentionBias, values: attentionBias },
    ...(config.normsQueries && { headNorm: { norm: { epsilon: HEAD_EPSILON }, over: "whole" } }),
    layerScales: { names: ["lambda_1", "lambda_2"], start: config.layerScale },
    names: {
      attention: "attention",
      output: "projection_layer",
      firstNorm: "layernorm_before",
      secondNorm: "layernorm_after",
    },
  });
  const token = (name: string): ParameterSpec => ({
    name: `${prefix}.embeddings.${name}`,
    shape: [1, 1, hiddenSize],
    role: "embedding",
  });
  return vitTower(
    {
      ...config,
      ...use,
      patch: { name: `${prefix}.embeddings.patch_embeddings.projection`, hasBias: true },
      classToken: token("cls_token"),
      ...(config.hasPositions && {
        positions: {
          name: `${prefix}.embeddings.position_embeddings`,
          isNested: true,
          ...(merge > 1 && { order: blockOrder(gridSide(config), merge) }),
        },
      }),
      ...(config.hasLastNorm && { lastNorm: `${prefix}.layernorm`, lastNormOptions: { kind: "layer", epsilon } }),
      norm,
      layers: Array.from({ length: config.layerCount }, (_, index) => ({
        name: `${prefix}.encoder.layer.${index}`,
        layer,
      })),
      unused: config.hasMaskToken ? [token("mask_token")] : [],
    },
    place,
  );
}

/** Positions, row by row behind that of the class token, in the order of patches that come block by block. */
function blockOrder(side: number, merge: number): Int32Array {
  return Int32Array.from({ length: side ** 2 + 1 }, (_, token) => {
    if (token === 0) return 0;
    const [row, column] = placeOf(token - 1, side, merge);
    return 1 + row * side + column;
  });
}
