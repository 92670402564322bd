import { elementCount } from "@thaw/contracts";
import * as tf from "@tensorflow/tfjs-core";
import { z } from "zod";
import { ApartOptimizer, type ApartRule } from "../optimize/apart.js";
import { ElementwiseOptimizer } from "../optimize/elementwise.js";
import { defineOptimizer, type OptimizedParameter, type SlotShapes } from "../api/optimizer.js";
import { RoutedOptimizer } from "../optimize/routed.js";
import { adamChange, adamScalars, adamwRule, newMoments } from "./adamw.js";
import { blockCount, codeNumbers, dequantise, quantise, SIGNED_CODE, UNSIGNED_CODE } from "./blockwise.js";
import { adamShape, commonOptimizerShape, type AdamOptions } from "./options.js";

/** Parameters of fewer values keep float32 moments: bitsandbytes' `min_8bit_size`. */
const LEAST_SIZE = 4096;

/** AdamW whose moments are bytes. */
export const adamw8bit = defineOptimizer({
  type: "adamw_8bit",
  summary: "AdamW with moments of 8 bits: a third of their memory.",
  schema: z.strictObject({
    type: z
      .literal("adamw_8bit")
      .describe(
        "AdamW whose two moments take 8 bits each, with a scale per 256 values (Dettmers et al.): a third of their " +
          "memory. Vectors, small matrices and tables of embeddings keep float32.",
      ),
    ...adamShape,
    ...commonOptimizerShape,
  }),
  keeps: () => "AdamW's two moments in 8 bits",
  slots: (_, parameter): SlotShapes =>
    takesBytes(parameter) ? byteSlots(parameter.shape) : { m: parameter.shape, v: parameter.shape },
  make: (options, { joinBytes, parameter }) =>
    new RoutedOptimizer(
      "adamw_8bit",
      {
        bytes: new ApartOptimizer(byteRule(options)),
        floats: new ElementwiseOptimizer(adamwRule(options), { joinBytes }),
      },
      (name) => (takesBytes(parameter(name)) ? "bytes" : "floats"),
    ),
});

/** As transformers' trainer sets up bitsandbytes: embeddings keep 32 bits. */
function takesBytes({ shape, isTable }: OptimizedParameter): boolean {
  return elementCount(shape) >= LEAST_SIZE && !isTable;
}

function byteSlots(shape: readonly number[]): SlotShapes {
  const blocks = blockCount(elementCount(shape));
  const codes = [codeNumbers(blocks)];
  return { m_codes: codes, m_scale: [blocks], v_codes: codes, v_scale: [blocks] };
}

/**
 * AdamW as {@link adamwRule}, the moments taken from bytes before a step and to bytes after it; the step itself uses
 * them as they are in between, as bitsandbytes' `AdamW8bit` does.
 */
function byteRule(options: AdamOptions): ApartRule {
  return {
    name: "adamw_8bit",
    slots: byteSlots,
    scalars: (numbers) => {
      const shrink = numbers.learningRate * numbers.weightDecay;
      return { ...adamScalars(options, numbers), ...(shrink === 0 ? {} : { decay: tf.scalar(1 - shrink) }) };
    },
    step: ({ parameter, gradient, slots, scalars }) => {
      const { shape } = parameter;
      const before = [
        dequantise({ codes: slots["m_codes"]!, scale: slots["m_scale"]! }, shape, SIGNED_CODE),
        dequantise({ codes: slots["v_codes"]!, scale: slots["v_scale"]! }, shape, UNSIGNED_CODE),
      ];
      const moments = newMoments(gradient, before, scalars);
      const [m, v] = [quantise(moments[0], SIGNED_CODE), quantise(moments[1], UNSIGNED_CODE)];
      const { decay } = scalars;
      return {
        slots: { m_codes: m.codes, m_scale: m.scale, v_codes: v.codes, v_scale: v.scale },
        value: tf.sub(decay === undefined ? parameter : tf.mul(parameter, decay), adamChange(moments, scalars)),
      };
    },
  };
}
