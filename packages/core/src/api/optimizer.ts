import type { ParameterInfo } from "@thaw/contracts";
import type { Scalar, Tensor } from "@tensorflow/tfjs-core";
import type { z } from "zod";

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
 * A plugin provides its own, or gives one through the `resolveOptimizer` hook.
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

/** What decides how an optimizer treats a parameter. */
export interface OptimizedParameter {
  readonly name: string;
  readonly shape: readonly number[];
  /** True where its rows are looked up, or make logits: a step of one row says nothing of the others. */
  readonly isTable: boolean;
}

/** Shape by slot, by the slot's own name. */
export type SlotShapes = Readonly<Record<string, readonly number[]>>;

/** What an optimizer is made with. */
export interface OptimizerMaking {
  /** See `Backend`. */
  readonly joinBytes?: number | undefined;
  readonly parameter: (name: string) => OptimizedParameter;
}

/**
 * An optimizer that configs can name: `training.optimizer: { type: ... }`. All that others need to know of it is asked
 * here: options, help, memory, what checkpoints hold.
 */
export interface OptimizerFactory<Schema extends z.ZodObject = z.ZodObject> {
  readonly type: string;
  /** One sentence, for help. */
  readonly summary: string;
  /** Strict; `type` with the literal, what `commonOptimizerShape` holds, and options of its own. */
  readonly schema: Schema;
  /** What it keeps beside gradients, in words: "AdamW's two moments". */
  keeps(options: z.output<Schema>): string;
  /** Shape of each slot of a parameter, by the slot's own name; all float32. */
  slots(options: z.output<Schema>, parameter: OptimizedParameter): SlotShapes;
  make(options: z.output<Schema>, making: OptimizerMaking): Optimizer;
}

/** What the optimizer that `training.optimizer` names keeps. */
export interface OptimizerPlan {
  readonly type: string;
  /** In words, beside gradients: "AdamW's two moments". */
  readonly keeps: string;
  /** Processes of which each keeps about an equal part; 1: all of it. */
  readonly shares: number;
  /** Bytes that it keeps of a parameter that trains, of all shares, in memory and in checkpoints. */
  readonly slotBytes: (parameter: ParameterInfo) => number;
}

/** Types a factory; returns what it is given. */
export function defineOptimizer<Schema extends z.ZodObject>(
  factory: OptimizerFactory<Schema>,
): OptimizerFactory<Schema> {
  return factory;
}

declare module "@thaw/contracts" {
  interface Provides {
    readonly optimizers?: readonly OptimizerFactory[];
  }
}
