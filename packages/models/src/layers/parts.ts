import type { Value } from "@thaw/autograd";
import type { Scope } from "@thaw/contracts";
import type { ParameterSpec } from "../contract/family.js";
import type { ChosenRows } from "../decoders/decoder.js";
import type { LayerPass } from "../decoders/layer-kind.js";

/** What a mixer is given beside the rows that it mixes. */
export interface MixerInput {
  /** `[rows, hidden]`, normalised. */
  readonly x: Value;
  /** What another layer handed on, where the mixer takes it. */
  readonly handed?: Value;
  readonly pass: LayerPass;
  /** Rows for which alone an output is wanted. */
  readonly chosen?: ChosenRows;
}

/** The part of a layer in which rows look at one another: attention, a convolution, a recurrence. */
export interface Mixer {
  /** All that decides what it computes, besides parameters and inputs, as text. */
  readonly formula: string;
  /** Parameters of the layer with that name. */
  specs(layer: string): readonly ParameterSpec[];
  /** `[rows, hidden]`, of all rows or of the chosen ones, and what the layer hands on to later ones. */
  run(
    layer: string,
    index: number,
    input: MixerInput,
    scope: Scope,
  ): { readonly mixed: Value; readonly handsOn?: Value };
}

/** The part of a layer that treats every row by itself. */
export interface RowBlock {
  /** As a mixer's. */
  readonly formula: string;
  /** True if what it computes depends on values that it reads from the device, so that it cannot be compiled. */
  readonly readsValues?: boolean;
  /** True if it norms its input itself: it gets the rows as they are, and does not let go of them. */
  readonly normsInput?: boolean;
  specs(layer: string): readonly ParameterSpec[];
  /** `[rows, hidden]`, normed, to the same. Lets go of its input. */
  run(layer: string, x: Value, scope: Scope): Value;
}
