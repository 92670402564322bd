import type { Scalar, Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import type { GroupRates, UpdateContext } from "../api/optimizer.js";

/** By name. */
export type Tensors = Readonly<Record<string, Tensor>>;

/** Numbers of one parameter's update. */
export interface UpdateNumbers extends GroupRates {
  /** Updates of the parameter with this one: from 1. */
  readonly count: number;
  /** What the gradient still has to be multiplied by; absent: nothing. */
  readonly factor?: Scalar | undefined;
}

/** The numbers of a parameter's update. */
export function updateNumbers(name: string, { updatesOf, rates, factorOf }: UpdateContext): UpdateNumbers {
  return { ...rates(name), count: updatesOf(name) + 1, factor: factorOf?.(name) };
}

/** The gradient times what it still has to be multiplied by. */
export function scaledGradient(gradient: Tensor, factor: Tensor | undefined): Tensor {
  return factor === undefined ? gradient : tf.mul(gradient, factor);
}

/** A slot's name in an optimizer and its checkpoints. */
export function slotName(parameter: string, slot: string): string {
  return `${parameter}/${slot}`;
}

/** The parameter of a slot of that name. */
export function parameterOfSlot(slot: string): string {
  return slot.slice(0, slot.lastIndexOf("/"));
}
