import * as tf from "@tensorflow/tfjs-core";
import { z } from "zod";
import { ElementwiseOptimizer, type ElementwiseRule } from "../optimize/elementwise.js";
import { defineOptimizer, type SlotShapes } from "../api/optimizer.js";
import { scaledGradient } from "../optimize/numbers.js";
import { commonOptimizerShape, meanDecay } from "./options.js";

const schema = z
  .strictObject({
    type: z.literal("sgd").describe("Gradient descent, with momentum where it is asked for, as torch.optim.SGD."),
    momentum: meanDecay(0).describe("Share of the past step that goes on; 0: none is kept."),
    dampening: z.number().min(0).lt(1).default(0).describe("Share of a gradient that does not enter the momentum."),
    nesterov: z.boolean().default(false).describe("Look ahead by the momentum; needs one, and no dampening."),
    ...commonOptimizerShape,
  })
  .refine(({ nesterov, momentum, dampening }) => !nesterov || (momentum > 0 && dampening === 0), {
    path: ["nesterov"],
    message: "Nesterov's look ahead needs a momentum above 0, and no dampening.",
  });

/** Stochastic gradient descent. */
export const sgd = defineOptimizer({
  type: "sgd",
  summary: "Gradient descent with momentum, as torch.optim.SGD.",
  schema,
  keeps: ({ momentum }) => (momentum === 0 ? "nothing else" : "SGD's momentum"),
  slots: ({ momentum }, { shape }): SlotShapes => (momentum === 0 ? {} : { momentum: shape }),
  make: (options, { joinBytes }) => new ElementwiseOptimizer(sgdRule(options), { joinBytes }),
});

/**
 * `torch.optim.SGD`: weight decay is added to the gradient; the momentum starts as the first gradient, undamped
 * (torch/optim/sgd.py, `_single_tensor_sgd`).
 */
function sgdRule({ momentum, dampening, nesterov }: z.output<typeof schema>): ElementwiseRule {
  const hasMomentum = momentum > 0;
  return {
    name: hasMomentum ? "sgd with momentum" : "sgd",
    slots: hasMomentum ? ["momentum"] : [],
    scalars: ({ count, learningRate, weightDecay, factor }) => ({
      rate: tf.scalar(learningRate),
      ...(factor === undefined ? {} : { factor }),
      ...(weightDecay === 0 ? {} : { decay: tf.scalar(weightDecay) }),
      ...(hasMomentum ? { kept: tf.scalar(momentum), added: tf.scalar(count === 1 ? 1 : 1 - dampening) } : {}),
      ...(nesterov ? { ahead: tf.scalar(momentum) } : {}),
    }),
    step: ({ parameter, gradient, slots, scalars }) => {
      const { rate, factor, decay, kept, added, ahead } = scalars;
      const scaled = scaledGradient(gradient, factor);
      const slope = decay === undefined ? scaled : tf.add(scaled, tf.mul(parameter, decay));
      const pace = kept === undefined ? undefined : tf.add(tf.mul(slots[0]!, kept), tf.mul(slope, added!));
      const step = pace === undefined ? slope : ahead === undefined ? pace : tf.add(slope, tf.mul(pace, ahead));
      return { slots: pace === undefined ? [] : [pace], value: tf.sub(parameter, tf.mul(step, rate!)) };
    },
  };
}
