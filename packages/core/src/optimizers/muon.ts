import type { Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { z } from "zod";
import { ApartOptimizer, type ApartRule } from "../optimize/apart.js";
import { ElementwiseOptimizer } from "../optimize/elementwise.js";
import { defineOptimizer, type OptimizedParameter, type SlotShapes } from "../api/optimizer.js";
import { scaledGradient } from "../optimize/numbers.js";
import { RoutedOptimizer } from "../optimize/routed.js";
import { adamwRule } from "./adamw.js";
import { adamShape, commonOptimizerShape, meanDecay } from "./options.js";

/** Coefficients of the Newton-Schulz iteration: https://kellerjordan.github.io/posts/muon/. */
const [A, B, C] = [3.4445, -4.775, 2.0315];
/** Below it a norm counts as this: torch/optim/_muon.py, `EPS`. */
const LEAST_NORM = 1e-7;
/** Root mean square of AdamW's updates: Liu et al., arXiv:2502.16982, section 2.2. */
const ADAMW_SIZE = 0.2;

const schema = z.strictObject({
  type: z
    .literal("muon")
    .describe(
      "Orthogonal steps for the matrices of layers (Jordan et al.), as torch.optim.Muon; AdamW for vectors and " +
        "tables of embeddings, by beta1, beta2 and epsilon.",
    ),
  momentum: meanDecay(0.95).describe("Decay of the mean of gradients of a matrix."),
  nesterov: z.boolean().default(true).describe("Look ahead by the momentum."),
  iterations: z
    .number()
    .int()
    .min(1)
    .max(99)
    .default(5)
    .describe("Of Newton and Schulz, which make a step orthogonal."),
  size: z
    .enum(["adamw", "original", "spectral"])
    .default("adamw")
    .describe(
      "Of a matrix's step at a learning rate. adamw: as large as AdamW's, so that one rate fits both " +
        "(match_rms_adamw); original: Keller Jordan's; spectral: Bernstein's.",
    ),
  ...adamShape,
  ...commonOptimizerShape,
});

/** Muon for matrices, AdamW for all else. */
export const muon = defineOptimizer({
  type: "muon",
  summary: "Orthogonal steps for the matrices of layers, AdamW for all else.",
  schema,
  keeps: () => "Muon's momentum, or AdamW's two moments",
  slots: (_, parameter): SlotShapes =>
    takesMuon(parameter) ? { momentum: parameter.shape } : { m: parameter.shape, v: parameter.shape },
  make: (options, { joinBytes, parameter }) =>
    new RoutedOptimizer(
      "muon",
      {
        muon: new ApartOptimizer(muonRule(options)),
        adamw: new ElementwiseOptimizer(adamwRule(options), { joinBytes }),
      },
      (name) => (takesMuon(parameter(name)) ? "muon" : "adamw"),
    ),
});

/** A matrix that multiplies, and is no table of rows. */
function takesMuon({ shape, isTable }: OptimizedParameter): boolean {
  return shape.length === 2 && !isTable;
}

/**
 * Muon as `torch.optim.Muon` (torch 2.15, `_single_tensor_muon`): the momentum is a mean, decoupled weight decay by the
 * rate as given. Its Newton-Schulz iteration rounds to bfloat16; here all is float32.
 */
function muonRule({ momentum, nesterov, iterations, size }: z.output<typeof schema>): ApartRule {
  return {
    name: "muon",
    slots: (shape) => ({ momentum: shape }),
    scalars: ({ learningRate, weightDecay, factor }, shape) => ({
      rate: tf.scalar(learningRate * sizeFactor(size, shape as readonly [number, number])),
      kept: tf.scalar(momentum),
      added: tf.scalar(1 - momentum),
      ...(factor === undefined ? {} : { factor }),
      ...(learningRate * weightDecay === 0 ? {} : { decay: tf.scalar(1 - learningRate * weightDecay) }),
    }),
    step: ({ parameter, gradient, slots, scalars }) => {
      const { rate, kept, added, factor, decay } = scalars;
      const slope = scaledGradient(gradient, factor);
      const mix = (left: Tensor, right: Tensor): Tensor => tf.add(tf.mul(left, kept!), tf.mul(right, added!));
      const next = mix(slots["momentum"]!, slope);
      const step = orthogonal(nesterov ? mix(next, slope) : next, iterations);
      return {
        slots: { momentum: next },
        value: tf.sub(decay === undefined ? parameter : tf.mul(parameter, decay), tf.mul(step, rate!)),
      };
    },
  };
}

/** torch/optim/_muon.py, `_adjust_lr`. */
function sizeFactor(size: z.output<typeof schema>["size"], [rows, columns]: readonly [number, number]): number {
  if (size === "adamw") return ADAMW_SIZE * Math.sqrt(Math.max(rows, columns));
  return Math.sqrt(size === "original" ? Math.max(1, rows / columns) : rows / columns);
}

/** Replaces singular values by numbers about 1: `[rows, columns]`, same out. */
function orthogonal(matrix: Tensor, iterations: number): Tensor {
  const isTall = matrix.shape[0]! > matrix.shape[1]!;
  const norm = tf.maximum(tf.sqrt(tf.sum(tf.square(matrix))), tf.scalar(LEAST_NORM));
  const [a, b, c] = [tf.scalar(A), tf.scalar(B), tf.scalar(C)];
  let x = tf.div(isTall ? tf.transpose(matrix) : matrix, norm);
  for (let iteration = 0; iteration < iterations; iteration++) {
    const gram = tf.matMul(x, x, false, true);
    const polynomial = tf.add(tf.mul(gram, b), tf.mul(tf.matMul(gram, gram), c));
    x = tf.add(tf.mul(x, a), tf.matMul(polynomial, x));
  }
  return isTall ? tf.transpose(x) : x;
}
