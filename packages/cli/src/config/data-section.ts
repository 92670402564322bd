import type { DatasetFormat, Registry } from "@thaw/core";
import {
  BUILT_IN_FORMATS,
  fileName,
  type HoldOut,
  mixedSchemaOf,
  sourceSchemaOf,
  type ResolvedMixedSource,
  type ResolvedSource,
} from "@thaw/data";
import { z } from "zod";

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

/** The schema of the `data` section where data sets may have these formats. */
export function dataSectionSchemaOf(formats: readonly DatasetFormat[]) {
  const source = z.union([short, sourceSchemaOf(formats)]).meta({ title: "Data source" });
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
        .union([source, z.record(z.string().regex(/^(?!type$).+$/), source)])
        .optional()
        .describe(
          "One data set, or several by name. Of a conversation the last answer is written and scored; the baseline " +
            "of the nearest neighbour compares first images by their pixels.",
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
    .prefault({})
    .describe("What is trained on and what is measured.");
}

/** The `data` section with Thaw's own formats. */
export const dataSectionSchema = dataSectionSchemaOf(BUILT_IN_FORMATS);

/** As users write it. */
export type DataSectionOptions = z.input<typeof dataSectionSchema>;
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
  readonly sets: SourceSetting | readonly (string | ResolvedMixedSource)[];
  readonly part?: HoldOut["part"];
}

/** Name of the evaluation set that is held out of training. */
const HELD_OUT = "held-out";

/** What is trained on, if anything. */
export function trainingSource({ train, split }: DataSection): OpenedSetting | undefined {
  return train === undefined ? undefined : { sets: train, ...(split === undefined ? {} : { part: "train" }) };
}

/** Evaluation sets by name; a single one is named after what it holds. */
export function evaluationSources({ data, registry }: ConfiguredData): Readonly<Record<string, OpenedSetting>> {
  const { train, split } = data;
  const held: Record<string, OpenedSetting> =
    train === undefined || split === undefined ? {} : { [HELD_OUT]: { sets: train, part: "held-out" } };
  return { ...held, ...namedSources(data, registry.all("formats")) };
}

function namedSources(
  { evaluation }: DataSection,
  formats: readonly DatasetFormat[],
): Readonly<Record<string, OpenedSetting>> {
  if (evaluation === undefined) return {};
  if (!areNamed(evaluation))
    return { [sourceName(evaluation as SourceSetting, formats)]: { sets: evaluation as SourceSetting } };
  return Object.fromEntries(Object.entries(evaluation).map(([name, sets]) => [name, { sets }]));
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
