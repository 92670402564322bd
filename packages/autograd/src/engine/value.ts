import type { Tensor } from "@tensorflow/tfjs-core";

/**
 * A tensor inside a differentiated computation. Ops take and return values; a value knows whether anything
 * upstream of it trains, and an op records only then. The tape owns what ops return and frees it as early as it can.
 */
export interface Value {
  /** The tensor, any shape, `float32` unless stated. Borrowed: never dispose it. Throws once it was freed. */
  readonly tensor: Tensor;
  readonly shape: readonly number[];
  /** True if a gradient with respect to this value is wanted by something that trains. */
  readonly needsGradient: boolean;
}
