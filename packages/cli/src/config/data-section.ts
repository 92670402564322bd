import type { DatasetFormat, MetricFactory, Registry } from "@thaw/core";
import {
  BUILT_IN_FORMATS,
  type DataSetOptions,
  fileName,
  type HoldOut,
  type MixedSource,
  mixedSchemaOf,
  sourceSchemaOf,
  type ResolvedSource,
  type SourceOptions,
} from "@thaw/data";
import { chosenMetrics, DEFAULT_METRICS, METRICS, metricsSchemaOf } from "@thaw/plugin-captions";
import type { ChosenMetric, MetricOptions } from "@thaw/plugin-captions";
import { z } from "zod";
import type { SetMetrics } from "./evaluation-set.js";

const count = z.number().int().positive();
const short = z
  .string()
  .min(1)
  .meta({ format: "source", description: '"iconify:twemoji", or the path of a file or folder.' });
/** A part of the training set that is not trained on. */
const splitSchema = z
  .strictObject({
    fraction: z.number().gt(0).lt(1).describe("Share that is held out."),
    seed: z.number().int().default(0).describe("Another seed holds out another part."),
    by: z
      .enum(["item", "concept", "sample"])
      .default("item")
      .describe("What stays together: samples of the same picture or sound, samples of one concept, or nothing."),
  })
  .describe("Hold a part of the training set out, and evaluate on it under the name held-out.");

/** An evaluation set in the long form. */
function evaluationSchemaOf(formats: readonly DatasetFormat[], metrics: ReturnType<typeof metricsSchemaOf>) {
  const more = { metrics: metrics.optional().describe("What is measured on this set, instead of data.metrics.") };
  return sourceSchemaOf(formats, more) as z.ZodType<ResolvedSource & SetMetrics, DataSetOptions & SetMetrics>;
}

/** The schema of the `data` section where data sets may have these formats, and these metrics can be named. */
export function dataSectionSchemaOf(formats: readonly DatasetFormat[], factories: readonly MetricFactory[]) {
  const source = z.union([short, sourceSchemaOf(formats)]).meta({ title: "Data source" });
  const metrics = metricsSchemaOf(factories);
  const held = z.union([short, evaluationSchemaOf(formats, metrics)]).meta({ title: "Evaluation set" });
  const mixed = z.union([short, mixedSchemaOf(formats)]).meta({ title: "One of several data sources" });
  return z
    .strictObject({
      train: z
        .union([source, z.array(mixed).min(1)])
        .optional()
        .describe("What is trained on: one data set, or a list of several."),
      mix: z
        .enum(["concatenate", "interleave"])
        .optional()
        .describe(
          "How several sets are put together: all shuffled into one, or by turns, each as often as its share. " +
            "Default: interleave where they have weights, else concatenate.",
        ),
      split: splitSchema.optional(),
      onError: z
        .enum(["fail", "skip"])
        .default("fail")
        .describe(
          "What a sample that cannot be used does: end the run, or be left out, with another one in its place and " +
            "its name in the summary.",
        ),
      tooLong: z
        .enum(["fail", "truncate"])
        .default("fail")
        .describe("What becomes of a sample longer than training.max_length: an error, or its first tokens."),
      groupByLength: z
        .boolean()
        .default(false)
        .describe("Let samples of about the same length share a micro-batch, so that less is padded."),
      evaluation: z
        .union([held, z.record(z.string().regex(/^(?!type$).+$/), held)])
        .optional()
        .describe(
          "One data set, or several by name. Of a conversation the last answer is written and scored; the baseline " +
            "of the nearest neighbour compares first images by their pixels.",
        ),
      metrics: metrics
        .optional()
        .describe(
          "What is measured on the evaluation sets beside their loss: names, or mappings with options. Default: " +
            "token_f1 and exact_match of the words as they are.",
        ),
      captions: z
        .boolean()
        .default(true)
        .describe("Let the model answer the evaluation sets and score its answers; false measures their loss alone."),
      maxNewTokens: count.default(24).describe("Longest answer that an evaluation lets the model write."),
      evaluationBatchSize: count.default(32).describe("Samples that an evaluation answers at once."),
      workers: z
        .number()
        .int()
        .nonnegative()
        .optional()
        .describe(
          "Threads that decode images; 0 decodes on the main thread. Default: one or two, by the number of cores.",
        ),
    })
    .superRefine(({ captions, metrics: all, evaluation }, context) => {
      const refuse = (given: readonly MetricOptions[] | undefined, path: readonly string[]): void => {
        // What is wrong with them for themselves was told already.
        if (given === undefined || !metrics.safeParse(given).success) return;
        for (const [index, { metric, name }] of chosenMetrics(given, factories).entries())
          if (metric.reads === "answers" && !captions)
            context.addIssue({
              code: "custom",
              path: [...path, index],
              message: `a metric of the loss (captions: false lets the model answer nothing that ${name} could read)`,
            });
      };
      refuse(all, ["metrics"]);
      if (evaluation === undefined) return;
      for (const [name, set] of Object.entries(areNamed(evaluation) ? evaluation : { "": evaluation }))
        if (typeof set === "object")
          refuse((set as SetMetrics).metrics, ["evaluation", ...(name === "" ? [] : [name]), "metrics"]);
    })
    .prefault({})
    .describe("What is trained on and what is measured.");
}

/** The `data` section with Thaw's own formats and metrics. */
export const dataSectionSchema = dataSectionSchemaOf(BUILT_IN_FORMATS, METRICS);

/** As users write it. */
export type { DataSectionOptions } from "./option-types.js";
/** As code reads it. */
export type DataSection = z.output<typeof dataSectionSchema>;
/** One data set, short or long form. */
export type SourceSetting = string | ResolvedSource;

/** What a config says of data, and what its plugins provide to read it. */
export interface ConfiguredData {
  readonly data: DataSection;
  readonly registry: Registry;
}

/** What is opened as one source: a data set or several, or a part of them. */
export interface OpenedSetting {
  readonly sets: SourceOptions | readonly MixedSource[];
  readonly part?: HoldOut["part"];
}

/** An evaluation set, and what is measured on it. */
export interface EvaluationSetting extends OpenedSetting {
  readonly metrics: readonly ChosenMetric[];
}

/** Name of the evaluation set that is held out of training. */
const HELD_OUT = "held-out";

/** What is trained on, if anything. */
export function trainingSource({ train, split }: DataSection): OpenedSetting | undefined {
  return train === undefined ? undefined : { sets: writable(train), ...(split === undefined ? {} : { part: "train" }) };
}

/** Evaluation sets by name; a single one is named after what it holds. */
export function evaluationSources({ data, registry }: ConfiguredData): Readonly<Record<string, EvaluationSetting>> {
  const { train, split, evaluation } = data;
  const made = (given: readonly MetricOptions[] | undefined): readonly ChosenMetric[] =>
    chosenMetrics(given ?? data.metrics ?? (data.captions ? DEFAULT_METRICS : []), registry.all("metrics"));
  const held: Record<string, EvaluationSetting> =
    train === undefined || split === undefined
      ? {}
      : { [HELD_OUT]: { sets: writable(train), part: "held-out", metrics: made(undefined) } };
  const named = Object.entries(namedSources(evaluation, registry.all("formats"))).map(([name, set]) => {
    if (typeof set === "string") return [name, { sets: set, metrics: made(undefined) }] as const;
    const { metrics, ...sets } = set as ResolvedSource & SetMetrics;
    return [name, { sets: writable(sets), metrics: made(metrics) }] as const;
  });
  return { ...held, ...Object.fromEntries(named) };
}

/** Sets that the schemas of their formats have read, as whoever opens them takes them. */
function writable(sets: NonNullable<DataSection["train"]>): OpenedSetting["sets"] {
  return sets as OpenedSetting["sets"];
}

function namedSources(
  evaluation: DataSection["evaluation"],
  formats: readonly DatasetFormat[],
): Readonly<Record<string, SourceSetting>> {
  if (evaluation === undefined) return {};
  if (areNamed(evaluation)) return evaluation;
  return { [sourceName(evaluation as SourceSetting, formats)]: evaluation as SourceSetting };
}

/** True for evaluation sets by name, false for a single one. */
export function areNamed(
  evaluation: NonNullable<DataSection["evaluation"]>,
): evaluation is Record<string, SourceSetting> {
  return typeof evaluation === "object" && !("type" in evaluation);
}

/** `twemoji`, `twemoji-unseen`, `test` for `/x/test.jsonl`. */
export function sourceName(setting: SourceSetting, formats: readonly DatasetFormat[] = BUILT_IN_FORMATS): string {
  if (typeof setting === "string") return fileName(setting.replace(/^[a-z]+:/, ""));
  return formats.find(({ type }) => type === setting.type)!.nameOf(setting);
}
