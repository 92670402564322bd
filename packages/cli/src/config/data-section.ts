import type { DatasetFormat, Registry } from "@thaw/core";
import { BUILT_IN_FORMATS, fileName, sourceSchemaOf, type ResolvedSource } from "@thaw/data";
import { z } from "zod";

const count = z.number().int().positive();
/** The schema of the `data` section where data sets may have these formats. */
export function dataSectionSchemaOf(formats: readonly DatasetFormat[]) {
  const source = z
    .union([
      z.string().min(1).meta({ format: "source", description: '"iconify:twemoji", or the path of a JSONL file.' }),
      sourceSchemaOf(formats),
    ])
    .meta({ title: "Data source" });

  return z
    .strictObject({
      train: source.optional().describe("What is trained on."),
      evaluation: z
        .union([source, z.record(z.string().regex(/^(?!type$).+$/), source)])
        .optional()
        .describe("One data set, or several by name."),
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

/** Evaluation sets by name; a single one is named after what it holds. */
export function evaluationSources({ data, registry }: ConfiguredData): Readonly<Record<string, SourceSetting>> {
  const { evaluation } = data;
  if (evaluation === undefined) return {};
  if (typeof evaluation === "string" || "type" in evaluation)
    return { [sourceName(evaluation as SourceSetting, registry.all("formats"))]: evaluation as SourceSetting };
  return evaluation as Readonly<Record<string, SourceSetting>>;
}

/** `twemoji`, `twemoji-unseen`, `test` for `/x/test.jsonl`. */
export function sourceName(setting: SourceSetting, formats: readonly DatasetFormat[] = BUILT_IN_FORMATS): string {
  if (typeof setting === "string") return fileName(setting.replace(/^[a-z]+:/, ""));
  return formats.find(({ type }) => type === setting.type)!.nameOf(setting);
}
