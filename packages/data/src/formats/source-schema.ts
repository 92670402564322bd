import type { DatasetFormat, StandardResult } from "@thaw/contracts";
import { z } from "zod";
import { COMMON_OPTIONS, MIX_OPTIONS, type MixOptions } from "./options.js";
import type { CommonOptions, DataSetOptions } from "./generated/option-types.js";

/** As users write it: the object, or the short form `iconify:noto` or a path. */
export type SourceOptions = string | DataSetOptions;

/** As code reads it: the options of its format, and those that every data set may have. */
export interface ResolvedSource extends CommonOptions {
  readonly type: string;
  readonly [option: string]: unknown;
}

/** As users write one of several sets. */
export type MixedSource = string | (DataSetOptions & MixOptions);
/** As code reads one of several sets. */
export interface ResolvedMixedSource extends ResolvedSource, MixOptions {}

/** One format's options with `type` and with what every data set may have. */
function setSchema(format: DatasetFormat, more: z.ZodRawShape): z.ZodObject {
  const type = z.literal(format.type).describe(format.summary);
  if (format.schema instanceof z.ZodObject)
    return z.strictObject({ type, ...format.schema.shape, ...COMMON_OPTIONS, ...more });
  // A schema of another maker checks its own options; what they are is not known here.
  return z.looseObject({ type, ...COMMON_OPTIONS, ...more }).superRefine((value, context) => {
    const result = format.schema["~standard"].validate(ownOptions(value, more)) as StandardResult<unknown>;
    for (const { message, path = [] } of result.issues ?? [])
      context.addIssue({
        code: "custom",
        message,
        path: path.map((part) => (typeof part === "object" ? part.key : part)),
      });
  });
}

/** The options of the format alone. */
function ownOptions(
  options: Readonly<Record<string, unknown>>,
  more: z.ZodRawShape = {},
): Readonly<Record<string, unknown>> {
  const others = { type: true, ...COMMON_OPTIONS, ...MIX_OPTIONS, ...more };
  return Object.fromEntries(Object.entries(options).filter(([key]) => !Object.hasOwn(others, key)));
}

/** What a format reads, as its schema gives it. */
export function formatOptions(format: DatasetFormat, options: ResolvedSource): unknown {
  const own = ownOptions(options);
  if (format.schema instanceof z.ZodObject) return own;
  const result = format.schema["~standard"].validate(own) as StandardResult<unknown>;
  return result.issues === undefined ? result.value : own;
}

/** One data set of any of these formats, told apart by `type`; `more` is what it may have beside the common options. */
export function sourceSchemaOf(
  formats: readonly DatasetFormat[],
  more: z.ZodRawShape = {},
): z.ZodType<ResolvedSource, DataSetOptions> {
  return unionOf(formats, more) as z.ZodType<ResolvedSource, DataSetOptions>;
}

/** One of several data sets: it may have a weight, or say how many of its samples an epoch holds. */
export function mixedSchemaOf(
  formats: readonly DatasetFormat[],
): z.ZodType<ResolvedMixedSource, DataSetOptions & MixOptions> {
  return unionOf(formats, MIX_OPTIONS) as z.ZodType<ResolvedMixedSource, DataSetOptions & MixOptions>;
}

function unionOf(formats: readonly DatasetFormat[], more: z.ZodRawShape): unknown {
  const [first, ...rest] = formats.map((format) => setSchema(format, more));
  return z.discriminatedUnion("type", [first!, ...rest]);
}
