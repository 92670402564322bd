import * as tf from "@tensorflow/tfjs-core";
import { commonOptimizerShape, defineOptimizer, ElementwiseOptimizer, type ElementwiseRule } from "@thaw/core";
import { z } from "zod";

const schema = z.strictObject({
  type: z.literal("my-plugin").describe("The sign of the momentum: each value moves by the learning rate."),
  momentum: z.number().min(0).lt(1).default(0.9).describe("Share of the past gradients that goes on."),
  ...commonOptimizerShape,
});

// What compilers and editors know of it, in configs and in programs.
declare module "@thaw/core" {
  interface ProvidedOptimizers {
    "my-plugin": z.input<typeof schema>;
  }
}

/** Signum (Bernstein et al., arXiv:1802.04434, algorithm 2), weight decay decoupled. */
export const optimizer = defineOptimizer({
  type: "my-plugin",
  summary: "The sign of the momentum.",
  schema,
  keeps: () => "Signum's momentum",
  // What a checkpoint holds for a parameter, and what `thaw plan` counts: a tensor of the parameter's shape.
  slots: (_, { shape }) => ({ momentum: shape }),
  make: (options, { joinBytes }) => new ElementwiseOptimizer(signumRule(options), { joinBytes }),
});

function signumRule({ momentum }: z.output<typeof schema>): ElementwiseRule {
  return {
    name: "my-plugin",
    slots: ["momentum"],
    // Numbers of an update, made once for all parameters that share them.
    scalars: ({ learningRate, weightDecay, factor }) => ({
      rate: tf.scalar(learningRate),
      left: tf.scalar(1 - learningRate * weightDecay),
      kept: tf.scalar(momentum),
      added: tf.scalar(1 - momentum),
      ...(factor === undefined ? {} : { factor }),
    }),
    step: ({ parameter, gradient, slots: [past], scalars }) => {
      const { rate, left, kept, added, factor } = scalars;
      // What averages and clips the gradients, where the optimizer is left to apply it.
      const scaled = factor === undefined ? gradient : tf.mul(gradient, factor);
      const mean = tf.add(tf.mul(past!, kept!), tf.mul(scaled, added!));
      return { slots: [mean], value: tf.sub(tf.mul(parameter, left!), tf.mul(tf.sign(mean), rate!)) };
    },
  };
}
