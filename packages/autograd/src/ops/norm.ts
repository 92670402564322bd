import type { Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { sumTo } from "../kernels/broadcast.js";
import { hasFused, nothing, runFused } from "../kernels/fused.js";
import type { Kernels } from "../kernels/kernels.js";
import { operate } from "../engine/operation.js";
import { fuse } from "./fuse.js";
import type { Tape } from "../engine/tape.js";
import type { Value } from "../engine/value.js";

/** Options of {@link rmsNorm}. */
export interface RmsNormOptions {
  /** True for Gemma, whose weight is stored minus one. */
  readonly unitOffset?: boolean;
}

/**
 * `x / sqrt(mean(x^2) + epsilon) * weight` over the last axis (Zhang and Sennrich 2019, arXiv 1910.07467). `x [...,
 * hidden]`, `weight [hidden]`. Saves `x` and one number per row.
 */
export function rmsNorm(x: Value, weight: Value, epsilon: number, options: RmsNormOptions = {}): Value {
  const offset = options.unitOffset === true ? 1 : 0;
  if (hasFused("ThawRmsNorm")) return fusedRmsNorm(x, weight, epsilon, offset);
  return fuse(`rmsNorm ${epsilon} ${offset}`, [x, weight], (rows, gain) =>
    plainRmsNorm(rows!, gain!, epsilon, options),
  );
}

function plainRmsNorm(x: Value, weight: Value, epsilon: number, options: RmsNormOptions): Value {
  const gainOf = (stored: Tensor, tape: Tape): Tensor => (options.unitOffset ? tf.add(stored, tape.scalar(1)) : stored);
  return operate("rmsNorm", [x, weight], (record, tape) => {
    const inverse = tf.rsqrt(tf.add(tape.kernels.rowMean(tf.square(x.tensor)), tape.scalar(epsilon)));
    if (record !== null) {
      const savedX = record.save(x);
      const savedInverse = record.keep(inverse);
      const gain = record.needs[0] ? record.save(weight) : null;
      record.backward = (gradient, [wantX, wantWeight]) => {
        const normal = tf.mul(savedX(), savedInverse());
        return [
          wantX && gain !== null
            ? throughRms(tape.kernels, tf.mul(gradient, gainOf(gain(), tape)), normal, savedInverse())
            : null,
          wantWeight ? sumTo(tape.kernels, tf.mul(gradient, normal), weight.shape) : null,
        ];
      };
    }
    return tf.mul(tf.mul(x.tensor, inverse), gainOf(weight.tensor, tape));
  });
}

function fusedRmsNorm(x: Value, weight: Value, epsilon: number, offset: number): Value {
  return operate("rmsNorm", [x, weight], (record, tape) => {
    const [normal, inverse] = runFused("ThawRmsNorm", { x: x.tensor, gain: weight.tensor }, { epsilon, offset }) as [
      Tensor,
      Tensor,
    ];
    if (record !== null) {
      const [savedX, savedWeight, savedInverse] = [record.save(x), record.save(weight), record.keep(inverse)];
      record.addsKnown = true;
      record.backward = (gradient, [, wantWeight = false], known) => {
        const inputs = {
          gradient,
          x: savedX(),
          gain: savedWeight(),
          inverse: savedInverse(),
          addend: known ?? nothing(tape.constants),
        };
        const [gradientX, gradientWeight] = runFused("ThawRmsNormGradient", inputs, {
          offset,
          wants_parameters: wantWeight,
        }) as [Tensor, Tensor];
        return [gradientX, wantWeight ? gradientWeight : null];
      };
    }
    return normal;
  });
}

/** `inverse (g - n mean(g n))`: gradient of `n = x inverse(x)`. */
function throughRms(kernels: Kernels, gradient: Tensor, normal: Tensor, inverse: Tensor): Tensor {
  return tf.mul(tf.sub(gradient, tf.mul(normal, kernels.rowMean(tf.mul(gradient, normal)))), inverse);
}

/**
 * `(x - mean) / sqrt(variance + epsilon) * weight + bias` over the last axis (Ba et al. 2016, arXiv 1607.06450). `x
 * [..., hidden]`, `weight` and `bias [hidden]`. Saves `x` and two numbers per row.
 */
export function layerNorm(x: Value, weight: Value, bias: Value, epsilon: number): Value {
  if (hasFused("ThawLayerNorm")) return fusedLayerNorm(x, weight, bias, epsilon);
  return fuse(`layerNorm ${epsilon}`, [x, weight, bias], (rows, gain, shift) =>
    plainLayerNorm(rows!, gain!, shift!, epsilon),
  );
}

function plainLayerNorm(x: Value, weight: Value, bias: Value, epsilon: number): Value {
  return operate("layerNorm", [x, weight, bias], (record, tape) => {
    const mean = tape.kernels.rowMean(x.tensor);
    const centred = tf.sub(x.tensor, mean);
    const inverse = tf.rsqrt(tf.add(tape.kernels.rowMean(tf.square(centred)), tape.scalar(epsilon)));
    if (record !== null) {
      const savedX = record.needs[0] || record.needs[1] ? record.save(x) : null;
      const savedMean = savedX === null ? null : record.keep(mean);
      const savedInverse = savedX === null ? null : record.keep(inverse);
      const gain = record.needs[0] ? record.save(weight) : null;
      record.backward = (gradient, [wantX, wantWeight, wantBias]) => {
        const gradientBias = wantBias ? sumTo(tape.kernels, gradient, bias.shape) : null;
        if (savedX === null || savedMean === null || savedInverse === null) return [null, null, gradientBias];
        const normal = tf.mul(tf.sub(savedX(), savedMean()), savedInverse());
        return [
          wantX && gain !== null ? throughLayer(tape.kernels, tf.mul(gradient, gain()), normal, savedInverse()) : null,
          wantWeight ? sumTo(tape.kernels, tf.mul(gradient, normal), weight.shape) : null,
          gradientBias,
        ];
      };
    }
    return tf.add(tf.mul(tf.mul(centred, inverse), weight.tensor), bias.tensor);
  });
}

function fusedLayerNorm(x: Value, weight: Value, bias: Value, epsilon: number): Value {
  return operate("layerNorm", [x, weight, bias], (record, tape) => {
    const [normal, mean, inverse] = runFused(
      "ThawLayerNorm",
      { x: x.tensor, gain: weight.tensor, bias: bias.tensor },
      { epsilon },
    ) as [Tensor, Tensor, Tensor];
    if (record !== null) {
      const [savedX, savedWeight, savedMean, savedInverse] = [
        record.save(x),
        record.save(weight),
        record.keep(mean),
        record.keep(inverse),
      ];
      record.addsKnown = true;
      record.backward = (gradient, [, wantWeight = false, wantBias = false], known) => {
        const inputs = {
          gradient,
          x: savedX(),
          gain: savedWeight(),
          mean: savedMean(),
          inverse: savedInverse(),
          addend: known ?? nothing(tape.constants),
        };
        const [gradientX, gradientWeight, gradientBias] = runFused("ThawLayerNormGradient", inputs, {
          wants_parameters: wantWeight || wantBias,
        }) as [Tensor, Tensor, Tensor];
        return [gradientX, wantWeight ? gradientWeight : null, wantBias ? gradientBias : null];
      };
    }
    return normal;
  });
}

/** `inverse (g - mean(g) - n mean(g n))`: gradient of the standardised `n`. */
function throughLayer(kernels: Kernels, gradient: Tensor, normal: Tensor, inverse: Tensor): Tensor {
  const tilt = tf.mul(normal, kernels.rowMean(tf.mul(gradient, normal)));
  return tf.mul(tf.sub(tf.sub(gradient, kernels.rowMean(gradient)), tilt), inverse);
}
