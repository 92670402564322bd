import * as tf from "@tensorflow/tfjs-core";
import { z } from "zod";
import { ElementwiseOptimizer, type ElementwiseRule } from "../optimize/elementwise.js";
import { defineOptimizer } from "../api/optimizer.js";
import { scaledGradient } from "../optimize/numbers.js";
import { commonOptimizerShape, meanDecay } from "./options.js";

const schema = z.strictObject({
  type: z
    .literal("lion")
    .describe(
      "The sign of the momentum alone (Chen et al.): half of AdamW's memory, and a learning rate of a third to a " +
        "tenth of AdamW's.",
    ),
  beta1: meanDecay(0.9).describe("Share of the momentum, against the gradient, in the sign that is taken."),
  beta2: meanDecay(0.99).describe("Decay of the momentum."),
  ...commonOptimizerShape,
});

/** Lion, which keeps one moment. */
export const lion = defineOptimizer({
  type: "lion",
  summary: "The sign of the momentum, with half of AdamW's memory.",
  schema,
  keeps: () => "Lion's momentum",
  slots: (_, { shape }) => ({ momentum: shape }),
  make: (options, { joinBytes }) => new ElementwiseOptimizer(lionRule(options), { joinBytes }),
});

/** Lion (Chen et al., arXiv:2302.06675, program 1), decoupled weight decay first, as AdamW has it. */
function lionRule({ beta1, beta2 }: z.output<typeof schema>): ElementwiseRule {
  return {
    name: "lion",
    slots: ["momentum"],
    scalars: ({ learningRate, weightDecay, factor }) => ({
      rate: tf.scalar(learningRate),
      oldShare: tf.scalar(beta1),
      newShare: tf.scalar(1 - beta1),
      kept: tf.scalar(beta2),
      added: tf.scalar(1 - beta2),
      ...(factor === undefined ? {} : { factor }),
      ...(learningRate * weightDecay === 0 ? {} : { decay: tf.scalar(1 - learningRate * weightDecay) }),
    }),
    step: ({ parameter, gradient, slots: [momentum], scalars }) => {
      const { rate, oldShare, newShare, kept, added, factor, decay } = scalars;
      const scaled = scaledGradient(gradient, factor);
      const direction = tf.sign(tf.add(tf.mul(momentum!, oldShare!), tf.mul(scaled, newShare!)));
      return {
        slots: [tf.add(tf.mul(momentum!, kept!), tf.mul(scaled, added!))],
        value: tf.sub(decay === undefined ? parameter : tf.mul(parameter, decay), tf.mul(direction, rate!)),
      };
    },
  };
}
