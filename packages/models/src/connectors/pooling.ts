import { gatherRows, matmul, reshape, scale, sum, type Value } from "@thaw/autograd";
import type { ParameterSpec } from "../contract/family.js";
import type { Connector, ConnectorPlace } from "../contract/parts.js";
import { normed, normSpecs, type NormOptions } from "../layers/norms.js";
import { tilesOf } from "../towers/inputs.js";
import { oneSegment } from "./one-segment.js";

/** Sizes of Gemma 3's projector. */
export interface PoolingProjectorOptions {
  /** Prefix of the checkpoint's names: `multi_modal_projector`. */
  readonly prefix: string;
  readonly outputSize: number;
  /** Patches a side of what the tower reads. */
  readonly side: number;
  /** Tokens a side that they become. */
  readonly tokensPerSide: number;
  readonly norm: NormOptions;
}

/**
 * Means of square blocks of patches, a norm, one matrix, which is stored as it is multiplied. Patches behind the last
 * whole block are left out. Source: transformers 5.24, `modeling_gemma3.py`, `Gemma3MultiModalProjector`.
 */
export function poolingProjector(
  { prefix, outputSize, side, tokensPerSide, norm }: PoolingProjectorOptions,
  place: ConnectorPlace,
): Connector {
  const { inputSize } = place;
  const matrix: ParameterSpec = {
    name: `${prefix}.mm_input_projection_weight`,
    shape: [inputSize, outputSize],
    role: "linear",
    fanIn: inputSize,
  };
  const parameters = [matrix, ...normSpecs(`${prefix}.mm_soft_emb_norm`, inputSize, norm)];
  const block = Math.floor(side / tokensPerSide);
  return oneSegment(place, {
    parameters,
    outputSize,
    outputRows: (item) => tokensPerSide ** 2 * tilesOf(item),
    signature: `pool ${block}`,
    run(x, scope) {
      const pooled = meansOfBlocks(wholeBlocks(x, side, tokensPerSide * block), tokensPerSide, block);
      return matmul(normed(pooled, `${prefix}.mm_soft_emb_norm`, norm, scope), scope.parameter(matrix.name));
    },
  });
}

/** `[tiles * side * side, width]` without the rows and columns of patches from `kept` on. */
function wholeBlocks(x: Value, side: number, kept: number): Value {
  if (kept === side) return x;
  const rows = Array.from({ length: x.shape[0]! }, (_, row) => row).filter(
    (row) => row % side < kept && Math.floor(row / side) % side < kept,
  );
  return gatherRows(x, Int32Array.from(rows));
}

/** `[tiles * (tokens * block) ** 2, width]` to `[tiles * tokens ** 2, width]`. */
function meansOfBlocks(x: Value, tokens: number, block: number): Value {
  const [rows, width] = x.shape as [number, number];
  const lines = rows / (tokens * block);
  const across = sum(reshape(x, [lines * tokens, block, width]), 1);
  const down = sum(reshape(across, [lines / block, block, tokens * width]), 1);
  return scale(reshape(down, [(lines / block) * tokens, width]), 1 / block ** 2);
}
