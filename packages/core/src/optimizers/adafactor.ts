import type { Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { z } from "zod";
import { ApartOptimizer, type ApartRule } from "../optimize/apart.js";
import { defineOptimizer, type SlotShapes } from "../api/optimizer.js";
import { scaledGradient } from "../optimize/numbers.js";
import { commonOptimizerShape } from "./options.js";

const schema = z.strictObject({
  type: z
    .literal("adafactor")
    .describe(
      "Second moments of matrices by rows and columns (Shazeer and Stern), as torch.optim.Adafactor: next to no " +
        "memory.",
    ),
  beta2Decay: z
    .number()
    .negative()
    .default(-0.8)
    .describe("Power of the number of updates that is the share of the newest squared gradient."),
  epsilon1: z
    .number()
    .positive()
    .default(2 ** -23)
    .describe("Smallest root mean square of a gradient that counts. Default: what float32 can tell from 1."),
  epsilon2: z
    .number()
    .positive()
    .default(1e-3)
    .describe("Smallest root mean square of a parameter that its steps are relative to."),
  clipThreshold: z
    .number()
    .min(1)
    .default(1)
    .describe("Largest root mean square of an update before the rate, scaled down to it."),
  scaleParameter: z
    .boolean()
    .default(true)
    .describe(
      "Steps relative to the size of the parameter, and by a rate of at most one over the root of the number of " +
        "updates. False: the learning rate alone, as transformers' `optim: adafactor`.",
    ),
  ...commonOptimizerShape,
});

/** Adafactor without a first moment. */
export const adafactor = defineOptimizer({
  type: "adafactor",
  summary: "Second moments by rows and columns, as torch.optim.Adafactor: next to no memory.",
  schema,
  keeps: () => "Adafactor's rows and columns",
  slots: (_, { shape }) => factoredShapes(shape),
  make: (options) => new ApartOptimizer(adafactorRule(options)),
});

/** Of more than one dimension: means over columns and over rows of the last two; else the moment itself. */
function factoredShapes(shape: readonly number[]): SlotShapes {
  if (shape.length < 2) return { variance: shape };
  return { row: [...shape.slice(0, -1), 1], column: [...shape.slice(0, -2), 1, shape.at(-1)!] };
}

/**
 * Adafactor (arXiv:1804.04235, algorithm 4 with parameter scaling) as `torch.optim.Adafactor` (torch 2.15,
 * `_single_tensor_adafactor`): the share of the newest square is `count ** beta2Decay`, decoupled weight decay. With
 * `scaleParameter` false it is what transformers' `Adafactor(scale_parameter=False, relative_step=False)` computes, but
 * for `epsilon1`: there 1e-30 is added to squares, here means of squares below its square are raised to it.
 */
function adafactorRule(options: z.output<typeof schema>): ApartRule {
  return {
    name: "adafactor",
    slots: factoredShapes,
    scalars: ({ count, learningRate, weightDecay, factor }) => {
      const share = count ** options.beta2Decay;
      const rate = options.scaleParameter ? Math.min(learningRate, 1 / Math.sqrt(count)) : learningRate;
      return {
        rate: tf.scalar(rate),
        kept: tf.scalar(1 - share),
        added: tf.scalar(share),
        epsilon1: tf.scalar(options.epsilon1),
        threshold: tf.scalar(options.clipThreshold),
        ...(options.scaleParameter ? { epsilon2: tf.scalar(options.epsilon2) } : {}),
        ...(factor === undefined ? {} : { factor }),
        ...(learningRate * weightDecay === 0 ? {} : { decay: tf.scalar(1 - learningRate * weightDecay) }),
      };
    },
    step: ({ parameter, gradient, slots, scalars }) => {
      const { rate, kept, added, epsilon1, epsilon2, threshold, factor, decay } = scalars;
      const slope = scaledGradient(gradient, factor);
      const mix = (old: Tensor, value: Tensor): Tensor => tf.add(tf.mul(old, kept!), tf.mul(value, added!));
      const squares = tf.square(slope);
      const next: Readonly<Record<string, Tensor>> =
        slots["variance"] === undefined
          ? {
              row: mix(slots["row"]!, tf.mean(squares, -1, true)),
              column: mix(slots["column"]!, tf.mean(squares, -2, true)),
            }
          : { variance: mix(slots["variance"], squares) };
      const estimate =
        next["variance"] ??
        tf.div(tf.mul(next["row"]!, next["column"]!), tf.maximum(tf.mean(next["row"]!, -2, true), epsilon1!));
      const update = tf.div(slope, tf.sqrt(tf.maximum(estimate, tf.square(epsilon1!))));
      const clipped = tf.div(rootMeanSquare(update), threshold!);
      const size = epsilon2 === undefined ? rate! : tf.mul(tf.maximum(epsilon2, rootMeanSquare(parameter)), rate!);
      const change = tf.mul(update, tf.div(size, tf.maximum(clipped, tf.onesLike(clipped))));
      return { slots: next, value: tf.sub(decay === undefined ? parameter : tf.mul(parameter, decay), change) };
    },
  };
}

function rootMeanSquare(x: Tensor): Tensor {
  return tf.sqrt(tf.mean(tf.square(x)));
}
