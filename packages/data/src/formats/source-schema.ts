import type { DatasetFormat, StandardResult } from "@thaw/contracts";
import { z } from "zod";
import { COMMON_OPTIONS, type CommonOptions, MIX_OPTIONS, type MixOptions } from "./options.js";
import type { arrowSchema } from "./arrow/arrow.js";
import type { captionsSchema } from "./captions/captions.js";
import type { cocoSchema } from "./coco/coco.js";
import type { conversationsSchema } from "./conversations/conversations.js";
import type { csvSchema } from "./csv/csv.js";
import type { folderSchema } from "./folder/folder.js";
import type { iconifySchema } from "./iconify/iconify.js";
import type { imageFolderSchema } from "./imagefolder/imagefolder.js";
import type { llamaFactorySchema } from "./llama-factory/llama-factory.js";
import type { parquetSchema } from "./parquet/parquet.js";
import type { webDatasetSchema } from "./webdataset/webdataset.js";

type CommonInput = z.input<z.ZodObject<typeof COMMON_OPTIONS>>;
/** A data set of one of Thaw's own formats, as users write it. */
type BuiltInOptions =
  | ({ readonly type: "iconify" } & z.input<typeof iconifySchema>)
  | ({ readonly type: "captions" } & z.input<typeof captionsSchema>)
  | ({ readonly type: "conversations" } & z.input<typeof conversationsSchema>)
  | ({ readonly type: "arrow" } & z.input<typeof arrowSchema>)
  | ({ readonly type: "coco" } & z.input<typeof cocoSchema>)
  | ({ readonly type: "csv" } & z.input<typeof csvSchema>)
  | ({ readonly type: "folder" } & z.input<typeof folderSchema>)
  | ({ readonly type: "imagefolder" } & z.input<typeof imageFolderSchema>)
  | ({ readonly type: "llama-factory" } & z.input<typeof llamaFactorySchema>)
  | ({ readonly type: "parquet" } & z.input<typeof parquetSchema>)
  | ({ readonly type: "webdataset" } & z.input<typeof webDatasetSchema>);

/** As users write it: the object, or the short form `iconify:noto` or a path. */
export type SourceOptions =
  | string
  | (BuiltInOptions & CommonInput)
  | ({ readonly type: string; readonly [option: string]: unknown } & CommonInput);

/** As code reads it: the options of its format, and those that every data set may have. */
export interface ResolvedSource extends CommonOptions {
  readonly type: string;
  readonly [option: string]: unknown;
}

/** As users write one of several sets. */
export type MixedSource = string | (Exclude<SourceOptions, string> & MixOptions);
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

type Written = BuiltInOptions & CommonInput;

/** One data set of any of these formats, told apart by `type`; `more` is what it may have beside the common options. */
export function sourceSchemaOf(
  formats: readonly DatasetFormat[],
  more: z.ZodRawShape = {},
): z.ZodType<ResolvedSource, Written> {
  return unionOf(formats, more) as z.ZodType<ResolvedSource, Written>;
}

/** One of several data sets: it may have a weight, or say how many of its samples an epoch holds. */
export function mixedSchemaOf(formats: readonly DatasetFormat[]): z.ZodType<ResolvedMixedSource, Written & MixOptions> {
  return unionOf(formats, MIX_OPTIONS) as z.ZodType<ResolvedMixedSource, Written & MixOptions>;
}

function unionOf(formats: readonly DatasetFormat[], more: z.ZodRawShape): unknown {
  const [first, ...rest] = formats.map((format) => setSchema(format, more));
  return z.discriminatedUnion("type", [first!, ...rest]);
}
