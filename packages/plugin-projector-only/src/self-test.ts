import type { Precision } from "@thaw/core";
import { type Feature, relativeError } from "./cache/feature.js";

/**
 * Of the largest value. Order of summation differs with the number of items: about 1e-6 in float32, a rounding more or
 * less at each layer in bfloat16 (1e-2 after 23 of them); a wrong feature is far above.
 */
export const SELF_TEST_TOLERANCES: Readonly<Record<Precision, number>> = { float32: 1e-3, tf32: 1e-2, bfloat16: 5e-2 };

/**
 * Is a kept feature what the segment makes of the item alone? False where items influence one another, where the
 * segment is random, or where a store holds another model's features. Returns a sentence without full stop saying what
 * is wrong, or undefined.
 */
export function selfTestFailure(
  kept: Feature,
  computed: Feature,
  where: string,
  tolerance: number = SELF_TEST_TOLERANCES.float32,
): string | undefined {
  const error = relativeError(kept, computed);
  if (error <= tolerance) return undefined;
  const text =
    error === Infinity
      ? "in shape or in values that are not numbers"
      : `by ${error.toExponential(1)} of the largest value (limit ${tolerance})`;
  return `the features ${where} and those computed from the image again differ ${text}`;
}
