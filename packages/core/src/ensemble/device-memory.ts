import type { Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";

/**
 * What a backend offers whose tensors lie in memory of a card. A backend of TensorFlow.js has it as its property
 * `deviceMemory`.
 */
export interface DeviceMemory {
  /**
   * Where float32 tensors lie, in their order. Nothing is waited for: what computes them may still be under way, in the
   * order in which it was asked for.
   */
  addresses(tensors: readonly Tensor[]): readonly bigint[];
}

/** The current backend's, if it has one. */
export function deviceMemory(): DeviceMemory | undefined {
  return (tf.backend() as unknown as { readonly deviceMemory?: DeviceMemory }).deviceMemory;
}
