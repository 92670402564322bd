import type { Scalar, Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";

/** Gradients that are clipped together. `clipNorm` null: they count for the reported norm only. */
export interface ClipGroup {
  readonly names: readonly string[];
  readonly clipNorm: number | null;
}

/** What clipping computed; tensors belong to the caller's tidy. */
export interface ClipResult {
  /** L2 norm of all gradients after scaling, before clipping: a scalar. */
  readonly norm: Tensor;
  /** Factor by name: scaling and clipping in one. */
  readonly factor: (name: string) => Scalar;
}

/**
 * Norms and factors of `torch.nn.utils.clip_grad_norm_`: `min(1, clipNorm / (norm + 1e-6))`, for each group apart.
 * The gradients are sums that are still to be multiplied by `scale`; norms are of the scaled ones, and the factor holds both, so
 * that one product a tensor is enough. Runs in the caller's `tf.tidy` and reads nothing back.
 */
export function clipFactors(gradients: ReadonlyMap<string, Tensor>, groups: readonly ClipGroup[], scale: number): ClipResult {
  const scaleTensor = tf.scalar(scale);
  const one = tf.scalar(1);
  const tiny = tf.scalar(1e-6);
  const factors = new Map<string, Scalar>();
  const squares: Tensor[] = [];
  for (const { names, clipNorm } of groups) {
    const present = names.filter((name) => gradients.has(name));
    if (present.length === 0) continue;
    const square = sumOfSquares(present.map((name) => gradients.get(name)!));
    squares.push(square);
    const factor = clipNorm === null ? scaleTensor : clipFactor(tf.mul(tf.sqrt(square), scaleTensor), clipNorm);
    for (const name of present) factors.set(name, factor);
  }
  function clipFactor(norm: Tensor, clipNorm: number): Scalar {
    return tf.mul(tf.minimum(one, tf.div(tf.scalar(clipNorm), tf.add(norm, tiny))), scaleTensor);
  }
  const total = squares.length === 0 ? tf.scalar(0) : addAll(squares);
  return { norm: tf.mul(tf.sqrt(total), scaleTensor), factor: (name) => factors.get(name) ?? scaleTensor };
}

function sumOfSquares(tensors: readonly Tensor[]): Tensor {
  return addAll(tensors.map((tensor) => tf.tidy(() => tf.sum(tf.square(tensor)))));
}

function addAll(scalars: readonly Tensor[]): Tensor {
  return scalars.length === 1 ? scalars[0]! : tf.sum(tf.stack([...scalars]));
}
