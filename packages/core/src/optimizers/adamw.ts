import { hasFused, runFused } from "@thaw/autograd";
import type { Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { z } from "zod";
import { ElementwiseOptimizer, type ElementwiseRule, type ElementwiseStep } from "../optimize/elementwise.js";
import { defineOptimizer } from "../api/optimizer.js";
import type { Tensors, UpdateNumbers } from "../optimize/numbers.js";
import { adamShape, commonOptimizerShape, type AdamOptions } from "./options.js";

/** AdamW, which is what a run has where it names no optimizer. */
export const adamw = defineOptimizer({
  type: "adamw",
  summary: "Adam with decoupled weight decay, as torch.optim.AdamW.",
  schema: z.strictObject({
    type: z
      .literal("adamw")
      .default("adamw")
      .describe("Adam with decoupled weight decay (Loshchilov and Hutter), as torch.optim.AdamW. The default."),
    ...adamShape,
    ...commonOptimizerShape,
  }),
  keeps: () => "AdamW's two moments",
  slots: (_, { shape }) => ({ m: shape, v: shape }),
  make: (options, { joinBytes }) => new ElementwiseOptimizer(adamwRule(options), { joinBytes }),
});

/**
 * AdamW (Loshchilov and Hutter, arXiv:1711.05101, algorithm 2) as `torch.optim.AdamW` computes it: decoupled decay
 * first, epsilon outside the square root, bias correction by the parameter's own number of updates. The corrections are
 * folded into two scalars: `lr/c1 * m / (sqrt(v)/sqrt(c2) + eps)` is `lr*sqrt(c2)/c1 * m / (sqrt(v) + eps*sqrt(c2))`,
 * one op less a parameter. What a gradient still has to be multiplied by is folded into the shares of the new moments.
 */
export function adamwRule(options: AdamOptions): ElementwiseRule {
  return {
    name: "adamw",
    slots: ["m", "v"],
    scalars: (numbers): Tensors => {
      const scalars = adamScalars(options, numbers);
      const shrink = numbers.learningRate * numbers.weightDecay;
      const decay = shrink === 0 ? undefined : tf.scalar(1 - shrink);
      if (!hasFused("ThawAdamW")) return decay === undefined ? scalars : { ...scalars, decay };
      const { beta1, beta2, newM, newV, size, epsilon } = scalars;
      return { together: tf.stack([beta1, beta2, newM, newV, size, epsilon, decay ?? tf.scalar(1)]) };
    },
    step: ({ parameter, gradient, slots, scalars }) => {
      if (scalars["together"] !== undefined) return fusedStep(parameter, gradient, slots, scalars["together"]);
      const moments = newMoments(gradient, slots, scalars);
      const change = adamChange(moments, scalars);
      const { decay } = scalars;
      return {
        slots: moments,
        value: tf.sub(decay === undefined ? parameter : tf.mul(parameter, decay), change),
      };
    },
  };
}

/** Scalars of {@link newMoments} and {@link adamChange}. */
export function adamScalars(
  { beta1, beta2, epsilon }: AdamOptions,
  { count, learningRate, factor }: UpdateNumbers,
): Readonly<Record<"beta1" | "beta2" | "newM" | "newV" | "size" | "epsilon", tf.Scalar>> {
  const correction1 = 1 - beta1 ** count;
  const root2 = Math.sqrt(1 - beta2 ** count);
  const [newM, newV] = [tf.scalar(1 - beta1), tf.scalar(1 - beta2)];
  return {
    beta1: tf.scalar(beta1),
    beta2: tf.scalar(beta2),
    newM: factor === undefined ? newM : tf.mul(newM, factor),
    newV: factor === undefined ? newV : tf.mul(newV, tf.square(factor)),
    size: tf.scalar((learningRate * root2) / correction1),
    epsilon: tf.scalar(epsilon * root2),
  };
}

/** Both moments with a gradient in them. */
export function newMoments(
  gradient: Tensor,
  [m, v]: ElementwiseStep["slots"],
  { beta1, beta2, newM, newV }: ElementwiseStep["scalars"],
): readonly [Tensor, Tensor] {
  const addedM = tf.mul(gradient, newM!);
  const addedV = tf.mul(tf.square(gradient), newV!);
  return [tf.add(tf.mul(m!, beta1!), addedM), tf.add(tf.mul(v!, beta2!), addedV)];
}

/** What goes from a parameter, the learning rate in it. */
export function adamChange([m, v]: readonly Tensor[], { size, epsilon }: ElementwiseStep["scalars"]): Tensor {
  return tf.mul(tf.div(m!, tf.add(tf.sqrt(v!), epsilon!)), size!);
}

/** The same in one pass over the parameter, where the backend can. */
function fusedStep(parameter: Tensor, gradient: Tensor, [m, v]: readonly Tensor[], scalars: Tensor) {
  const inputs = { parameter, m: m!, v: v!, gradient, scalars };
  const [value, ...slots] = runFused("ThawAdamW", inputs, {}) as [Tensor, Tensor, Tensor];
  return { value, slots };
}
