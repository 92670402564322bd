import { z } from "zod";

const rate = z.number().nonnegative();

/**
 * How numbers are kept and multiplied. `tf32`: products of float32 matrices with 10 bits of mantissa, on GPUs that can. `bfloat16`: matrices that
 * stay frozen for the whole run are kept in bfloat16, half the memory, and multiplied so, with sums in float32; other products as with `tf32` where
 * the backend has it. Trained parameters, optimizer, norms, softmax, loss and residuals are float32 always.
 */
export const PRECISIONS = ["float32", "tf32", "bfloat16"] as const;
export type Precision = (typeof PRECISIONS)[number];

/** Learning-rate shape over the run's steps. `warmupSteps` wins over `warmupRatio`. Formulas: `transformers/optimization.py`. */
export const scheduleSchema = z.strictObject({
  type: z.enum(["constant", "linear", "cosine"]).default("constant"),
  warmupSteps: z.number().int().nonnegative().optional(),
  warmupRatio: z.number().min(0).max(1).default(0),
});

/** AdamW with decoupled weight decay (Loshchilov and Hutter, arXiv:1711.05101), PyTorch's defaults but for the decay. */
export const optimizerSchema = z.strictObject({
  type: z.enum(["adamw"]).default("adamw"),
  weightDecay: rate.default(0),
  beta1: z.number().min(0).max(1).default(0.9),
  beta2: z.number().min(0).max(1).default(0.999),
  epsilon: z.number().positive().default(1e-8),
  /** Global L2 norm; null: no clipping. */
  clipNorm: z.number().positive().nullable().default(1),
  /** Decay norms and biases too. */
  decayNormsAndBiases: z.boolean().default(false),
});

/** Settings of one component that differ from the run's. */
export const componentTrainingSchema = z.strictObject({
  learningRate: rate.optional(),
  weightDecay: rate.optional(),
  schedule: scheduleSchema.optional(),
  clipNorm: z.number().positive().nullable().optional(),
});

/**
 * Ends the run before its last step: when an evaluation between steps measures something below or above a bound, or nothing better (lower
 * where the metric is a loss, an error or a perplexity, else higher) for `patience` evaluations in a row.
 */
export const stopWhenSchema = z.strictObject({
  /** As in `metrics.jsonl`; default: the first that measures the metric. */
  evaluation: z.string().optional(),
  metric: z.string().default("loss"),
  below: z.number().optional(),
  above: z.number().optional(),
  patience: z.number().int().positive().optional(),
}).refine(({ below, above, patience }) => below !== undefined || above !== undefined || patience !== undefined, "One of below, above and patience is needed.");

/** The `training` section. One of `epochs` and `maxSteps` is required to train; the first reached ends the run. */
export const trainingSchema = z.strictObject({
  epochs: z.number().positive().optional(),
  maxSteps: z.number().int().positive().optional(),
  microBatchSize: z.number().int().positive().default(8),
  gradientAccumulationSteps: z.number().int().positive().default(1),
  /** Tokens per sample, image tokens included; longer samples are an error naming the sample. */
  maxLength: z.number().int().positive().optional(),
  learningRate: rate.default(1e-3),
  schedule: scheduleSchema.prefault({}),
  optimizer: optimizerSchema.prefault({}),
  /** By component, `vision_tower` or `visionTower`. */
  components: z.record(z.string(), componentTrainingSchema).default({}),
  labelSmoothing: z.number().min(0).max(1).default(0),
  precision: z.enum(PRECISIONS).default("float32"),
  shuffle: z.boolean().default(true),
  /** `auto`: a segment is recomputed in the backward pass where the memory estimate says so. */
  activationCheckpointing: z.enum(["auto", "on", "off"]).default("off"),
  stopWhen: stopWhenSchema.optional(),
  evaluateEverySteps: z.number().int().positive().optional(),
  saveEverySteps: z.number().int().positive().optional(),
  /** Steps in a row without gradient, or with one of zeros, after which a trained parameter is named in a warning and in the summary; null: never. */
  deadGradientSteps: z.number().int().positive().nullable().default(10),
});

/** As users write it. */
export type TrainingOptions = z.input<typeof trainingSchema>;
/** As code reads it; frozen. */
export type ResolvedTrainingOptions = z.output<typeof trainingSchema>;
