import { asFunction, hasFused, runFusedOne } from "@thaw/autograd";
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
  /** Sum of squares of each gradient, before scaling, `[names]`; null if there is no gradient. */
  readonly squares: Tensor | null;
  /** In the order of `squares`. */
  readonly names: readonly string[];
}

/**
 * Norms and factors of `torch.nn.utils.clip_grad_norm_`: `min(1, clipNorm / (norm + 1e-6))`, for each group apart. The
 * gradients are sums that are still to be multiplied by `scale`; norms are of the scaled ones, and the factor holds
 * both, so that one product a tensor is enough. Runs in the caller's `tf.tidy` and reads nothing back.
 */
export function clipFactors(
  gradients: ReadonlyMap<string, Tensor>,
  groups: readonly ClipGroup[],
  scale: number,
): ClipResult {
  const scaleTensor = tf.scalar(scale);
  const one = tf.scalar(1);
  const tiny = tf.scalar(1e-6);
  const factors = new Map<string, Scalar>();
  const squares: Tensor[] = [];
  const order: string[] = [];
  for (const { names, clipNorm } of groups) {
    const present = names.filter((name) => gradients.has(name));
    if (present.length === 0) continue;
    const own = sumsOfSquares(
      present.map((name) => gradients.get(name)!),
      true,
    );
    squares.push(own);
    order.push(...present);
    const factor = clipNorm === null ? scaleTensor : clipFactor(tf.mul(tf.sqrt(tf.sum(own)), scaleTensor), clipNorm);
    for (const name of present) factors.set(name, factor);
  }
  function clipFactor(norm: Tensor, clipNorm: number): Scalar {
    return tf.mul(tf.minimum(one, tf.div(tf.scalar(clipNorm), tf.add(norm, tiny))), scaleTensor);
  }
  const all = squares.length === 0 ? null : squares.length === 1 ? squares[0]! : tf.concat(squares);
  const norm = all === null ? tf.scalar(0) : tf.mul(tf.sqrt(tf.sum(all)), scaleTensor);
  return { norm, factor: (name) => factors.get(name) ?? scaleTensor, squares: all, names: order };
}

/** `[tensors]` float32, as a function where that pays; `isAlike` as {@link asFunction} has it. */
export function sumsOfSquares(tensors: readonly Tensor[], isAlike: boolean): Tensor {
  return asFunction("sums of squares", tensors, (given) => [tf.stack(given.map(sumOfSquares))], isAlike)[0]!;
}

/** A scalar, float32. */
export function sumOfSquares(x: Tensor): Tensor {
  return hasFused("ThawSumOfSquares")
    ? runFusedOne("ThawSumOfSquares", { x }, {})
    : tf.tidy(() => tf.sum(tf.square(x)));
}
