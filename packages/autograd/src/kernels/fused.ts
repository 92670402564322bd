import type { NamedAttrMap, NamedTensorMap, Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import type { ConstantCache } from "../engine/constant-cache.js";

/**
 * Kernels that a backend may register with TensorFlow.js beside its own: each does in one pass what takes five to
 * twenty of those. What they compute and how they are called is in `packages/backend-gpu/native/kernels`; ops use one
 * where it is there.
 */
export type FusedName =
  | "ThawRmsNorm"
  | "ThawRmsNormGradient"
  | "ThawLayerNorm"
  | "ThawLayerNormGradient"
  | "ThawActivation"
  | "ThawActivationGradient"
  | "ThawGate"
  | "ThawGateGradient"
  | "ThawRotary"
  | "ThawAttention"
  | "ThawAttentionGradient"
  | "ThawProduct"
  | "ThawAdamW"
  | "ThawSumOfSquares"
  | "ThawDequantize";

/** What stands for an input that is left out. Borrowed. */
export function nothing(constants: ConstantCache): Tensor {
  return constants.tensor("nothing", () => tf.tensor1d([], "float32"));
}

/** True if the current backend has the kernel. */
export function hasFused(name: FusedName): boolean {
  return tf.getKernel(name, tf.getBackend()) !== undefined;
}

/** Runs a fused kernel that has several outputs. */
export function runFused(
  name: FusedName,
  inputs: Readonly<Record<string, Tensor>>,
  attributes: Readonly<Record<string, number | boolean>>,
): Tensor[] {
  return tf.engine().runKernel(name, inputs as NamedTensorMap, attributes as NamedAttrMap);
}

/** Runs one that has a single output. */
export function runFusedOne(
  name: FusedName,
  inputs: Readonly<Record<string, Tensor>>,
  attributes: Readonly<Record<string, number | boolean>>,
): Tensor {
  return tf.engine().runKernel(name, inputs as NamedTensorMap, attributes as NamedAttrMap);
}
