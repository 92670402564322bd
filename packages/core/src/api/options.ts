import { FROZEN_FORMS } from "@thaw/autograd";
import { z } from "zod";
import { OPTIMIZERS, optimizerSchemaOf } from "../optimizers/list.js";
import { SCHEDULES, scheduleSchemaOf } from "../schedules/list.js";
import type { OptimizerFactory } from "./optimizer.js";
import type { ScheduleFactory } from "../schedules/schedule.js";

const rate = z.number().nonnegative();
const layerDecay = z.number().gt(0).max(1).optional();

/**
 * How numbers are kept and multiplied. `tf32`: products of float32 matrices with 10 bits of mantissa, on GPUs that can.
 * `bfloat16`: matrices that stay frozen for the whole run are kept in bfloat16, half the memory, and multiplied so,
 * with sums in float32; other products as with `tf32` where the backend has it. In compiled functions on a GPU what
 * trains is multiplied so too, by a copy, and layers hand on bfloat16, to one another and for backward, as they do the
 * gradients of it. Trained parameters, their gradients, optimizer, statistics of norms and softmax, and the loss are
 * float32 always.
 */
export const PRECISIONS = ["float32", "tf32", "bfloat16"] as const;
export type Precision = (typeof PRECISIONS)[number];

/** Settings of one component that differ from the run's. */
function componentTrainingSchemaOf(scheduleSchema: ReturnType<typeof scheduleSchemaOf>) {
  return z.strictObject({
    learningRate: rate.optional().describe("The component's own learning rate."),
    weightDecay: rate.optional().describe("The component's own weight decay."),
    layerDecay: layerDecay.describe("The component's own decay of rates from layer to layer."),
    schedule: scheduleSchema.optional().describe("The component's own schedule."),
    clipNorm: z
      .number()
      .positive()
      .nullable()
      .optional()
      .describe("Largest L2 norm of the component's gradients, clipped apart from the others; null: no clipping."),
  });
}

/**
 * Ends the run before its last step: when an evaluation between steps measures something below or above a bound, or
 * nothing better (as the metric says which values are) for `patience` evaluations in a row.
 */
export const stopWhenSchema = z
  .strictObject({
    evaluation: z
      .string()
      .optional()
      .describe("Name of the evaluation as in metrics.jsonl. Default: the first that measures the metric."),
    metric: z.string().default("loss").describe("What is compared."),
    below: z.number().optional().describe("Ends the run once the metric is below this."),
    above: z.number().optional().describe("Ends the run once the metric is above this."),
    patience: z
      .number()
      .int()
      .positive()
      .optional()
      .describe("Ends the run after so many evaluations in a row without a better value."),
  })
  .refine(
    ({ below, above, patience }) => below !== undefined || above !== undefined || patience !== undefined,
    "One of below, above and patience is needed.",
  );

const keptCount = z
  .number()
  .int()
  .positive()
  .describe(
    "Checkpoints that stay: older ones are removed once a newer one is whole. Default: 2, or all beside " +
      "save_every_steps.",
  );

const keepSchema = z
  .union([
    keptCount,
    z.strictObject({
      last: keptCount.optional(),
      best: z
        .union([
          z.string(),
          z.strictObject({
            evaluation: z
              .string()
              .optional()
              .describe("Name of the evaluation as in metrics.jsonl. Default: the first that measures the metric."),
            metric: z.string().describe("What is compared, such as loss or token_f1."),
          }),
        ])
        .optional()
        .describe("Also save a checkpoint whenever this metric is better than ever, and keep the best one."),
    }),
  ])
  .optional()
  .describe("Checkpoints that stay: how many, and whether the best one by a metric does.");

/** What a run can name in its `training` section. */
export interface TrainingChoices {
  readonly optimizers: readonly OptimizerFactory[];
  readonly schedules: readonly ScheduleFactory[];
}

/**
 * The `training` section where these can be named; typed as with Thaw's own. One of `epochs` and `maxSteps` is required
 * to train; the first reached ends the run.
 */
// oxlint-disable-next-line typescript/explicit-module-boundary-types
export function trainingSchemaOf({ optimizers, schedules }: TrainingChoices) {
  const scheduleSchema = scheduleSchemaOf(schedules);
  return z.strictObject({
    epochs: z
      .number()
      .positive()
      .optional()
      .describe(
        "Passes over the training set; fractions are allowed. This or max_steps is required to train; the first " +
          "reached ends the run.",
      ),
    maxSteps: z.number().int().positive().optional().describe("Optimizer updates after which the run ends."),
    microBatchSize: z.number().int().positive().default(8).describe("Samples that one forward and backward pass sees."),
    gradientAccumulationSteps: z
      .number()
      .int()
      .positive()
      .default(1)
      .describe("Micro-batches per step, weighted by their supervised tokens."),
    maxLength: z
      .number()
      .int()
      .positive()
      .optional()
      .describe(
        "Tokens per sample, image tokens included; a longer sample is an error that names it. Default: the model's " +
          "context.",
      ),
    learningRate: rate.default(1e-3).describe("Highest learning rate of the schedule."),
    layerDecay: layerDecay.describe(
      "What a layer's learning rate is multiplied by for each layer of its component behind it, as BEiT and timm do: " +
        "the last layers learn most. Default: 1.",
    ),
    schedule: scheduleSchema.prefault({}).describe("Learning rate over the run's steps."),
    optimizer: optimizerSchemaOf(optimizers).prefault({}).describe("What makes updates of gradients."),
    components: z
      .record(z.string(), componentTrainingSchemaOf(scheduleSchema))
      .default({})
      .describe("By component, such as vision_tower: what differs from the run's settings."),
    labelSmoothing: z
      .number()
      .min(0)
      .max(1)
      .default(0)
      .describe("Share of the target's probability that is spread over all tokens."),
    precision: z
      .enum(PRECISIONS)
      .default("float32")
      .describe(
        "How numbers are multiplied. tf32: products with 10 bits of mantissa, on GPUs that can; bfloat16: matrices " +
          "that stay frozen are kept so, in half the memory. What trains is float32 always.",
      ),
    frozenPrecision: z
      .enum(FROZEN_FORMS)
      .optional()
      .describe(
        "Weights of linear layers that stay frozen are kept in 8 bits (int8: each row by its largest value) or 4 " +
          "(nf4: blocks of 64, their scales in 8 bits, as QLoRA has them) and multiplied as precision says, on every " +
          "backend. Default: as precision says; what the checkpoint stores in 4 or 8 bits stays so.",
      ),
    shuffle: z.boolean().default(true).describe("Another order of samples in every epoch, from the seed."),
    activationCheckpointing: z
      .enum(["auto", "on", "off"])
      .default("auto")
      .describe(
        "Compute blocks again in the backward pass instead of keeping their activations; auto: where these, " +
          "estimated, would take more than half of the free memory, a card's where that computes.",
      ),
    stopWhen: stopWhenSchema.optional().describe("Ends the run early, by what an evaluation between steps measures."),
    evaluateEverySteps: z
      .number()
      .int()
      .positive()
      .optional()
      .describe("Steps between evaluations. Default: before the first step and at the end alone."),
    saveEverySteps: z
      .number()
      .int()
      .positive()
      .optional()
      .describe("Steps between checkpoints, instead of those by time and epochs. What trained is written at the end."),
    saveEveryMinutes: z
      .number()
      .positive()
      .nullable()
      .optional()
      .describe(
        "Minutes between checkpoints; null: none by time or epochs. Default: 15, and one at the end of each epoch; " +
          "none beside save_every_steps. A run that ends early is saved in any case.",
      ),
    keep: keepSchema,
    deadGradientSteps: z
      .number()
      .int()
      .positive()
      .nullable()
      .default(10)
      .describe(
        "Steps in a row without gradient, or with one of zeros, after which a trained parameter is named in a " +
          "warning and in the summary; null: never.",
      ),
  });
}

/** The `training` section with what Thaw itself brings. */
export const trainingSchema = trainingSchemaOf({ optimizers: OPTIMIZERS, schedules: SCHEDULES });

/** As users write it. */
export type { TrainingOptions } from "./generated/option-types.js";
/** As code reads it; frozen. */
export type ResolvedTrainingOptions = z.output<typeof trainingSchema>;
