import * as tf from "@tensorflow/tfjs-core";

/**
 * Coefficients and count of the Newton-Schulz iteration, from Keller Jordan's Muon
 * (https://kellerjordan.github.io/posts/muon/).
 */
const [A, B, C] = [3.4445, -4.775, 2.0315];
const ITERATIONS = 5;
/** Matches the update's size to AdamW's (Liu et al., arXiv:2502.16982, section 2.2). */
const ADAMW_SCALE = 0.2;

/** Scalars that stay on the device: a JavaScript number as operand is uploaded on every call. */
export interface Scalars {
  of(value: number): tf.Scalar;
  dispose(): void;
}

/** Makes each scalar once. */
export function keptScalars(): Scalars {
  const known = new Map<number, tf.Scalar>();
  return {
    of(value) {
      const scalar = known.get(value) ?? tf.keep(tf.scalar(value));
      known.set(value, scalar);
      return scalar;
    },
    dispose() {
      tf.dispose([...known.values()]);
      known.clear();
    },
  };
}

/**
 * Replaces the singular values of each matrix by about 1. `[matrices, rows, columns]` with rows <= columns, same out.
 * Call inside `tf.tidy`.
 */
export function orthogonalise(matrices: tf.Tensor3D, scalars: Scalars): tf.Tensor3D {
  const norm = tf.sqrt(tf.sum(tf.square(matrices), [1, 2], true));
  let x: tf.Tensor3D = tf.div(matrices, tf.add(norm, scalars.of(1e-7)));
  for (let iteration = 0; iteration < ITERATIONS; iteration += 1) {
    const gram = tf.matMul(x, x, false, true);
    const polynomial = tf.add(tf.mul(gram, scalars.of(B)), tf.mul(tf.matMul(gram, gram), scalars.of(C)));
    x = tf.add(tf.mul(x, scalars.of(A)), tf.matMul(polynomial, x));
  }
  return x;
}

/** Factor on an orthogonal update of this shape. */
export function updateScale(rows: number, columns: number): number {
  return ADAMW_SCALE * Math.sqrt(Math.max(rows, columns));
}
