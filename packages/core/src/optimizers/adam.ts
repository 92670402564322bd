import * as tf from "@tensorflow/tfjs-core";
import { z } from "zod";
import { ElementwiseOptimizer, type ElementwiseRule } from "../optimize/elementwise.js";
import { defineOptimizer } from "../api/optimizer.js";
import { scaledGradient } from "../optimize/numbers.js";
import { adamChange, adamScalars, newMoments } from "./adamw.js";
import { adamShape, commonOptimizerShape, type AdamOptions } from "./options.js";

/** Adam, whose weight decay goes through the moments. */
export const adam = defineOptimizer({
  type: "adam",
  summary: "Adam, whose weight decay is added to the gradient, as torch.optim.Adam.",
  schema: z.strictObject({
    type: z
      .literal("adam")
      .describe("Adam (Kingma and Ba): weight decay is added to the gradient, as in torch.optim.Adam."),
    ...adamShape,
    ...commonOptimizerShape,
  }),
  keeps: () => "Adam's two moments",
  slots: (_, { shape }) => ({ m: shape, v: shape }),
  make: (options, { joinBytes }) => new ElementwiseOptimizer(adamRule(options), { joinBytes }),
});

/** Adam (Kingma and Ba, arXiv:1412.6980, algorithm 1) as `torch.optim.Adam`: the gradient is `g + decay * value`. */
function adamRule(options: AdamOptions): ElementwiseRule {
  return {
    name: "adam",
    slots: ["m", "v"],
    scalars: ({ factor, weightDecay, ...numbers }) => ({
      ...adamScalars(options, { ...numbers, weightDecay }),
      ...(factor === undefined ? {} : { factor }),
      ...(weightDecay === 0 ? {} : { decay: tf.scalar(weightDecay) }),
    }),
    step: ({ parameter, gradient, slots, scalars }) => {
      const { factor, decay } = scalars;
      const scaled = scaledGradient(gradient, factor);
      const decayed = decay === undefined ? scaled : tf.add(scaled, tf.mul(parameter, decay));
      const moments = newMoments(decayed, slots, scalars);
      return { slots: moments, value: tf.sub(parameter, adamChange(moments, scalars)) };
    },
  };
}
