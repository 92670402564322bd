import * as tf from "@tensorflow/tfjs-core";
import {
  add,
  API_VERSION,
  definePlugin,
  elementCount,
  linear,
  type LossContext,
  matmul,
  mean,
  reshape,
  rmsNorm,
  scale,
  softmaxCrossEntropy,
  ThawError,
  type Value,
} from "@thaw/core";
import { mulberry32 } from "@thaw/data";
import { normal } from "./random.js";

/** Owner of the parameters that this loss adds. */
export const CONTRASTIVE_COMPONENT = "contrastive";
const MAP = `${CONTRASTIVE_COMPONENT}.map.weight`;
const CAPTIONS = `${CONTRASTIVE_COMPONENT}.captions.weight`;
const WORDS = `${CONTRASTIVE_COMPONENT}.words.weight`;
const PLUGIN_NAME = "ContrastiveLossPlugin";
const NORM_EPSILON = 1e-6;

export interface ContrastiveOptions {
  /** Every caption of the training set; a picture's class is its caption. */
  readonly captions: readonly string[];
  /** Width of the tower's features. */
  readonly width: number;
  /** Weight beside the caption loss, per picture against per token. */
  readonly weight: number;
  /** Factor on the cosines. */
  readonly scale: number;
  readonly labelSmoothing: number;
  readonly seed: number;
}

/**
 * Teaches the tower to tell captions apart: its mean feature, through a linear map, against one vector per caption (a
 * learned one plus the mean of its words' learned ones), by cosine, all captions as classes. Adds three parameters,
 * which no checkpoint gets.
 */
export const contrastiveLoss = definePlugin<ContrastiveOptions>({
  name: PLUGIN_NAME,
  apiVersion: API_VERSION,
  claims: { reads: ["segmentOutput:vision_tower"], writes: ["loss", "parameters"] },
  apply(trainer, options) {
    const words = [...new Set(options.captions.flatMap(wordsOf))];
    const classes = new Map(options.captions.map((caption, index) => [caption, index]));
    let shares: tf.Tensor2D | undefined;
    let ones: tf.Tensor1D | undefined;

    trainer.hooks.parameters.tap(PLUGIN_NAME, (parameters) => [
      ...parameters,
      parameterOf(MAP, [options.width, options.width], 0.7 / Math.sqrt(options.width), options.seed),
      parameterOf(CAPTIONS, [options.captions.length, options.width], 0.05, options.seed + 1),
      parameterOf(WORDS, [words.length, options.width], 0.05, options.seed + 2),
    ]);
    trainer.hooks.initialize.tapPromise(PLUGIN_NAME, async () => {
      shares = tf.keep(tf.tensor2d(wordShares(options.captions, words), [options.captions.length, words.length]));
      ones = tf.keep(tf.ones([options.width]));
      await Promise.resolve();
    });
    trainer.hooks.shutdown.tapPromise(PLUGIN_NAME, async () => {
      tf.dispose([shares, ones].filter((tensor) => tensor !== undefined));
      await Promise.resolve();
    });
    trainer.hooks.loss.tap(PLUGIN_NAME, (loss, context) => {
      const features = context.segmentOutput("vision_tower");
      if (features === undefined || shares === undefined || ones === undefined) return loss;
      const { scope } = context;
      const gain = scope.constant(ones);
      const unit = (x: Value): Value => rmsNorm(x, gain, NORM_EPSILON);
      // Rows of all pictures, one picture per sample and equally many rows of each.
      const count = context.batch.batchSize;
      const patches = reshape(features, [count, features.shape[0]! / count, options.width]);
      const pictures = unit(linear(mean(patches, 1), scope.parameter(MAP)));
      const vectors = unit(add(scope.parameter(CAPTIONS), matmul(scope.constant(shares), scope.parameter(WORDS))));
      // Unit root mean square has length sqrt(width), hence the division.
      const logits = scale(matmul(pictures, vectors, { transposeB: true }), options.scale / options.width);
      const extra = softmaxCrossEntropy(logits, classesOf(context, classes), {
        labelSmoothing: options.labelSmoothing,
      });
      // Core divides by the supervised tokens; a picture counts as its share of them.
      return add(loss, scale(extra, (options.weight * context.supervisedTokenCount) / context.batch.batchSize));
    });
  },
});

function wordsOf(caption: string): string[] {
  return caption.split(" ");
}

/** `[captions, words]`, row-major: a row holds the share of each word in its caption. */
function wordShares(captions: readonly string[], words: readonly string[]): Float32Array {
  const index = new Map(words.map((word, at) => [word, at]));
  const shares = new Float32Array(captions.length * words.length);
  for (const [row, caption] of captions.entries()) {
    const parts = wordsOf(caption);
    for (const word of parts) {
      const at = row * words.length + (index.get(word) as number);
      shares[at] = (shares[at] as number) + 1 / parts.length;
    }
  }
  return shares;
}

function classesOf(context: LossContext, classes: ReadonlyMap<string, number>): Int32Array {
  return Int32Array.from(context.batch.samples, ({ id, reference }) => {
    const known = classes.get(reference ?? "");
    if (known === undefined) {
      throw new ThawError(
        "THAW_PRETRAIN_CAPTION_UNKNOWN",
        `The sample "${id}" has the caption "${reference ?? ""}", which is none of the ${classes.size} captions ` +
          `that ${PLUGIN_NAME} was given. Give it every caption of the training set.`,
        {
          details: { id, reference },
        },
      );
    }
    return known;
  });
}

function parameterOf(name: string, shape: readonly number[], deviation: number, seed: number) {
  const initialize = (): Float32Array => {
    const random = mulberry32(seed);
    return Float32Array.from({ length: elementCount(shape) }, () => deviation * normal(random));
  };
  return { name, shape, dtype: "F32", component: CONTRASTIVE_COMPONENT, initialize };
}
