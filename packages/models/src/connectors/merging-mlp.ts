import { activate, type ActivationName } from "../blocks/activations.js";
import { channelMajor } from "../blocks/channel-major.js";
import { linearSpecs } from "../blocks/specs.js";
import type { Connector, ConnectorPlace } from "../contract/parts.js";
import { normed, normSpecs, type NormOptions } from "../layers/norms.js";
import { mergedRows } from "../towers/grids.js";
import { oneSegment } from "./one-segment.js";

/** Sizes of Mistral 3's projector. */
export interface MergingMlpConfig {
  /** Prefix of the checkpoint's names: `multi_modal_projector`. */
  readonly prefix: string;
  readonly outputSize: number;
  readonly activation: ActivationName;
  /** Of the two last layers. */
  readonly hasBias: boolean;
  readonly norm: NormOptions;
  /** Patches a side of the blocks that become one row. */
  readonly merge: number;
}

/**
 * Norms patches, makes one of each block by a linear layer, then goes through two more with an activation between them.
 * Patches come block by block. Source: transformers 5.24, `modeling_mistral3.py`, `Mistral3MultiModalProjector`.
 */
export function mergingMlp(config: MergingMlpConfig, place: ConnectorPlace): Connector {
  const { prefix, outputSize, activation, hasBias, norm, merge } = config;
  const { inputSize } = place;
  const names = {
    norm: `${prefix}.norm`,
    merging: `${prefix}.patch_merger.merging_layer`,
    first: `${prefix}.linear_1`,
    second: `${prefix}.linear_2`,
  };
  const parameters = [
    ...normSpecs(names.norm, inputSize, norm),
    ...linearSpecs(names.merging, inputSize * merge ** 2, inputSize, false),
    ...linearSpecs(names.first, inputSize, outputSize, hasBias),
    ...linearSpecs(names.second, outputSize, outputSize, hasBias),
  ];
  return oneSegment(place, {
    parameters,
    outputSize,
    outputRows: mergedRows(merge),
    run(x, scope) {
      const blocks = channelMajor(normed(x, names.norm, norm, scope), merge ** 2);
      const merged = scope.linear(blocks, names.merging);
      return scope.linear(activate(activation, scope.linear(merged, names.first)), names.second);
    },
  });
}
