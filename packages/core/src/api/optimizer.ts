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
  /**
   * True: gradients come as they were summed, not yet averaged and clipped, with `UpdateContext.factorOf`; that saves
   * an op and a copy for each.
   */
  readonly takesFactors?: boolean;
  /**
   * Called before each backward pass with the parameters that it reaches, so that new state can lie beside the
   * activations and not, once these are freed, in between the next ones: on allocators that never move a tensor that is
   * a fifth of a run's memory. Optional; {@link update} must not rely on it.
   */
  prepare?(parameters: ReadonlyMap<string, Tensor>, context: Omit<UpdateContext, "factorOf">): void;
  /**
   * Called inside `tf.tidy`. Gives the new value of each parameter that has a gradient, by name; core owns the results,
   * and frees a parameter's old value and gradient as soon as it has the new one: a generator needs memory for one at a
   * time, a map for all. State tensors must be kept (`tf.keep`).
   */
  update(
    parameters: ReadonlyMap<string, Tensor>,
    gradients: ReadonlyMap<string, Tensor>,
    context: UpdateContext,
  ): Iterable<readonly [name: string, value: Tensor]>;
  /** State by slot name (`${parameter}/m`); borrowed. */
  slots(): ReadonlyMap<string, Tensor>;
  /**
   * Shape by name of the slots that a parameter of this shape has once it was updated. Optional: a checkpoint's slots
   * are compared with it before they are read.
   */
  slotShapes?(parameter: string, shape: readonly number[]): ReadonlyMap<string, readonly number[]>;
  /** Takes ownership of the tensors. */
  restore(slots: ReadonlyMap<string, Tensor>): void;
  /** Frees the state of parameters that no longer train. */
  drop(names: Iterable<string>): void;
  dispose(): void;
}
