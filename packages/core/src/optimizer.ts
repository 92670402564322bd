import type { Scalar, Tensor } from "@tensorflow/tfjs-core";

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
  /** Given to an optimizer that `takesFactors`: what its gradient still has to be multiplied by. */
  readonly factorOf?: (name: string) => Scalar;
}

/**
 * Updates parameters from gradients. State is keyed by parameter name, so the trainable set may change between steps.
 * A plugin hands in its own through the `resolveOptimizer` hook.
 */
export interface Optimizer {
  readonly name: string;
  /** True: gradients come as they were summed, not yet averaged and clipped, with `UpdateContext.factorOf`; that saves an op and a copy for each. */
  readonly takesFactors?: boolean;
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
