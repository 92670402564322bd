import { add, gelu, matmul, reshape, transpose } from "@thaw/autograd";
import type { ActivationName } from "../blocks/activations.js";
import { channelMajor } from "../blocks/channel-major.js";
import { layerNormSpecs, linearSpecs } from "../blocks/specs.js";
import type { ParameterSpec } from "../contract/family.js";
import type { Connector, ConnectorPlace } from "../contract/parts.js";
import { gatedMlp } from "../layers/gated-mlp.js";
import { normed, type NormOptions } from "../layers/norms.js";
import { mergedRows } from "../towers/grids.js";
import { oneSegment } from "./one-segment.js";

/** Sizes of GLM-4V's merger. */
export interface GatedMergerConfig {
  /** Prefix of the checkpoint's names: `model.visual`. */
  readonly prefix: string;
  readonly outputSize: number;
  /** Width of its gated MLP. */
  readonly intermediateSize: number;
  readonly activation: ActivationName;
  /** Patches a side of the blocks that become one row. */
  readonly merge: number;
}

/** PyTorch's layer norm. */
const NORM: NormOptions = { kind: "layer", epsilon: 1e-5 };

/**
 * Makes one row of each block of patches by a convolution as large, projects and norms it, and goes through a gated
 * MLP. Patches come block by block. Source: transformers 5.24, `modeling_glm4v.py`, `Glm4vVisionPatchMerger` and what
 * `Glm4vVisionModel` does before it.
 */
export function gatedMerger(config: GatedMergerConfig, place: ConnectorPlace): Connector {
  const { prefix, outputSize, intermediateSize, activation, merge } = config;
  const { inputSize } = place;
  const width = inputSize * merge ** 2;
  const convolution = `${prefix}.downsample`;
  const [projection, norm] = [`${prefix}.merger.proj`, `${prefix}.merger.post_projection_norm`];
  const block = gatedMlp({ hiddenSize: outputSize, intermediateSize, activation, names: { whole: "merger" } });
  const parameters: readonly ParameterSpec[] = [
    { name: `${convolution}.weight`, shape: [outputSize, inputSize, merge, merge], role: "linear", fanIn: width },
    { name: `${convolution}.bias`, shape: [outputSize], role: "bias" },
    ...linearSpecs(projection, outputSize, outputSize, false),
    ...layerNormSpecs(norm, outputSize),
    ...block.specs(prefix),
  ];
  return oneSegment(place, {
    parameters,
    outputSize,
    outputRows: mergedRows(merge),
    run(x, scope) {
      const kernel = transpose(reshape(scope.parameter(`${convolution}.weight`), [outputSize, width]), [1, 0]);
      const merged = add(matmul(channelMajor(x, merge ** 2), kernel), scope.parameter(`${convolution}.bias`));
      return block.run(prefix, gelu(normed(scope.linear(merged, projection), norm, NORM, scope)), scope);
    },
  });
}
