/** Number of elements of a shape; 1 for a scalar. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** Bytes of a float32 value. */
export const FLOAT32_BYTES = 4;

/** Bytes of a float32 tensor of a shape: how parameters, gradients and moments lie in memory. */
export function float32Bytes(shape: readonly number[]): number {
  return FLOAT32_BYTES * elementCount(shape);
}
