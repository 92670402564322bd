import type { Tensor } from "@tensorflow/tfjs-core";

/** Hyperparameters of one parameter's group at one step. */
export interface GroupRates {
  /** After the schedule. */
  readonly learningRate: number;
  /** Decoupled; 0 for parameters that do not decay (norms, biases). */
  readonly weightDecay: number;
}

/** One update, as an optimizer sees it. */
export interface UpdateContext {
  /** From 0; the number of updates before this one. */
  readonly step: number;
  /** Updates that this parameter had before this one: smaller than `step` where it was unfrozen later. */
  readonly updatesOf: (name: string) => number;
  readonly rates: (name: string) => GroupRates;
}

/**
 * Updates parameters from gradients. State is keyed by parameter name, so the trainable set may change between steps.
 * A plugin hands in its own through the `resolveOptimizer` hook.
 */
export interface Optimizer {
  readonly name: string;
  /**
   * Called inside `tf.tidy`. Returns the new value of each parameter that has a gradient; core owns the results and frees the old
   * values. State tensors must be kept (`tf.keep`).
   */
  update(parameters: ReadonlyMap<string, Tensor>, gradients: ReadonlyMap<string, Tensor>, context: UpdateContext): ReadonlyMap<string, Tensor>;
  /** State by slot name (`${parameter}/m`); borrowed. */
  slots(): ReadonlyMap<string, Tensor>;
  /** Takes ownership of the tensors. */
  restore(slots: ReadonlyMap<string, Tensor>): void;
  /** Frees the state of parameters that no longer train. */
  drop(names: Iterable<string>): void;
  dispose(): void;
}
