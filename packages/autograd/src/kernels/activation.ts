import type { Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import type { Tape } from "../engine/tape.js";

/** A pointwise function with its derivative, both from the input alone. */
export interface Activation {
  /** Its number in the fused kernels, where they have it. */
  readonly kind?: number;
  value(x: Tensor, tape: Tape): Tensor;
  derivative(x: Tensor, tape: Tape): Tensor;
}

/** `x sigmoid(inner(x))`, the form that SiLU and both approximations of GELU share. */
function sigmoidGated(
  kind: number,
  inner: (x: Tensor, tape: Tape) => Tensor,
  innerDerivative: (x: Tensor, tape: Tape) => Tensor | null,
): Activation {
  return {
    kind,
    value: (x, tape) => tf.mul(x, tf.sigmoid(inner(x, tape))),
    derivative: (x, tape) => {
      const gate = tf.sigmoid(inner(x, tape));
      const slope = tf.mul(tf.mul(gate, x), tf.sub(tape.scalar(1), gate));
      const chain = innerDerivative(x, tape);
      return tf.add(gate, chain === null ? slope : tf.mul(slope, chain));
    },
  };
}

/** SiLU, `x sigmoid(x)` (Elfwing et al. 2017, arXiv 1702.03118). */
export const SILU = sigmoidGated(
  0,
  (x) => x,
  () => null,
);

/** OpenAI CLIP's `x sigmoid(1.702 x)` (Hendrycks and Gimpel 2016, arXiv 1606.08415, section 2). */
export const QUICK_GELU = sigmoidGated(
  1,
  (x, tape) => tf.mul(x, tape.scalar(1.702)),
  (_, tape) => tape.scalar(1.702),
);

// 0.5 (1 + tanh(u)) = sigmoid(2 u), u = sqrt(2 / pi) (x + 0.044715 x^3).
const TANH_LINEAR = 2 * Math.sqrt(2 / Math.PI);
const TANH_CUBIC = TANH_LINEAR * 0.044715;

/** GELU's tanh approximation (arXiv 1606.08415, section 2; PyTorch `gelu(approximate="tanh")`). */
export const GELU_TANH = sigmoidGated(
  2,
  (x, tape) => tf.mul(x, tf.add(tf.mul(tf.square(x), tape.scalar(TANH_CUBIC)), tape.scalar(TANH_LINEAR))),
  (x, tape) => tf.add(tf.mul(tf.square(x), tape.scalar(3 * TANH_CUBIC)), tape.scalar(TANH_LINEAR)),
);

/** Exact GELU, `x Phi(x)` with the error function (arXiv 1606.08415; PyTorch's default). */
export const GELU: Activation = {
  value: (x, tape) => tf.mul(x, normalCdf(x, tape)),
  derivative: (x, tape) => {
    const density = tf.mul(tf.exp(tf.mul(tf.square(x), tape.scalar(-0.5))), tape.scalar(1 / Math.sqrt(2 * Math.PI)));
    return tf.add(normalCdf(x, tape), tf.mul(x, density));
  },
};

function normalCdf(x: Tensor, tape: Tape): Tensor {
  const half = tape.scalar(0.5);
  return tf.add(tf.mul(tf.erf(tf.mul(x, tape.scalar(Math.SQRT1_2))), half), half);
}
