/** What a segment made of one item, on the host. */
export interface Feature {
  /** `[rows, width]`: items may have different numbers of rows. */
  readonly shape: readonly number[];
  /** float32, row-major. */
  readonly values: Float32Array;
}

/** Bytes of a feature's values. */
export function featureBytes(feature: Feature): number {
  return feature.values.byteLength;
}

/**
 * Largest absolute difference, relative to the largest absolute value of `expected`; infinity if the shapes differ or a
 * value is not finite.
 */
export function relativeError(actual: Feature, expected: Feature): number {
  if (actual.shape.join() !== expected.shape.join() || actual.values.length !== expected.values.length) return Infinity;
  let largest = 0;
  let difference = 0;
  for (let index = 0; index < expected.values.length; index += 1) {
    const value = expected.values[index]!;
    const distance = Math.abs(actual.values[index]! - value);
    if (!Number.isFinite(distance)) return Infinity;
    largest = Math.max(largest, Math.abs(value));
    difference = Math.max(difference, distance);
  }
  return difference === 0 ? 0 : difference / largest;
}
