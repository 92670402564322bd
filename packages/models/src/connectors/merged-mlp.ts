import { reshape } from "@thaw/autograd";
import type { MediaItem } from "@thaw/contracts";
import { activate, type ActivationName } from "../blocks/activations.js";
import { linearSpecs } from "../blocks/specs.js";
import type { Connector, ConnectorPlace } from "../contract/parts.js";
import { normed, normSpecs, type NormOptions } from "../layers/norms.js";
import { oneSegment } from "./one-segment.js";

/** A projector that makes one token of each block of patches. */
export interface MergedMlpOptions {
  /** Prefix of the checkpoint's names: `model.multi_modal_projector`. */
  readonly prefix: string;
  /** Rows that become one; those of a block come one after the other. */
  readonly merged: number;
  /** Rows of an item behind it. */
  rows(item: MediaItem): number;
  /** Norm over all columns of a block. Absent: none. */
  readonly norm?: NormOptions;
  readonly innerSize: number;
  readonly outputSize: number;
  readonly activation: ActivationName;
  readonly hasBias: boolean;
  /** Names of its parts. Default: `layer_norm`, `linear_1` and `linear_2`. */
  readonly names?: Partial<typeof NAMES>;
}

const NAMES = { norm: "layer_norm", first: "linear_1", second: "linear_2" };

/**
 * Puts the rows of a block side by side, norms them, then goes through two linear layers with an activation between
 * them. Source: transformers 5.24, `modeling_lfm2_vl.py`, `Lfm2VlMultiModalProjector`.
 */
export function mergedMlp(options: MergedMlpOptions, place: ConnectorPlace): Connector {
  const { prefix, merged, norm, innerSize, outputSize, activation, hasBias } = options;
  const names = { ...NAMES, ...options.names };
  const name = (part: keyof typeof NAMES): string => `${prefix}.${names[part]}`;
  const width = merged * place.inputSize;
  const parameters = [
    ...(norm === undefined ? [] : normSpecs(name("norm"), width, norm)),
    ...linearSpecs(name("first"), width, innerSize, hasBias),
    ...linearSpecs(name("second"), innerSize, outputSize, hasBias),
  ];
  return oneSegment(place, {
    parameters,
    outputSize,
    outputRows: (item) => options.rows(item),
    run(x, scope) {
      const blocks = reshape(x, [x.shape[0]! / merged, width]);
      const even = norm === undefined ? blocks : normed(blocks, name("norm"), norm, scope);
      return scope.linear(activate(activation, scope.linear(even, name("first"))), name("second"));
    },
  });
}
