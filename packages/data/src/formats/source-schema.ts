import type { DatasetFormat, StandardResult } from "@thaw/contracts";
import { z } from "zod";
import { COMMON_OPTIONS, type CommonOptions } from "./options.js";
import type { captionsSchema } from "./captions/captions.js";
import type { conversationsSchema } from "./conversations/conversations.js";
import type { iconifySchema } from "./iconify/iconify.js";

type CommonInput = z.input<z.ZodObject<typeof COMMON_OPTIONS>>;
/** A data set of one of Thaw's own formats, as users write it. */
type BuiltInOptions =
  | ({ readonly type: "iconify" } & z.input<typeof iconifySchema>)
  | ({ readonly type: "captions" } & z.input<typeof captionsSchema>)
  | ({ readonly type: "conversations" } & z.input<typeof conversationsSchema>);

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

/** One format's options with `type` and with what every data set may have. */
function setSchema(format: DatasetFormat): z.ZodObject {
  const type = z.literal(format.type).describe(format.summary);
  if (format.schema instanceof z.ZodObject) return z.strictObject({ type, ...format.schema.shape, ...COMMON_OPTIONS });
  // A schema of another maker checks its own options; what they are is not known here.
  return z.looseObject({ type, ...COMMON_OPTIONS }).superRefine((value, context) => {
    const result = format.schema["~standard"].validate(ownOptions(value)) as StandardResult<unknown>;
    for (const { message, path = [] } of result.issues ?? [])
      context.addIssue({
        code: "custom",
        message,
        path: path.map((part) => (typeof part === "object" ? part.key : part)),
      });
  });
}

/** The options of the format alone. */
function ownOptions(options: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(options).filter(([key]) => key !== "type" && !(key in COMMON_OPTIONS)));
}

/** What a format reads, as its schema gives it. */
export function formatOptions(format: DatasetFormat, options: ResolvedSource): unknown {
  const own = ownOptions(options);
  if (format.schema instanceof z.ZodObject) return own;
  const result = format.schema["~standard"].validate(own) as StandardResult<unknown>;
  return result.issues === undefined ? result.value : own;
}

/** One data set of any of these formats, told apart by `type`. */
export function sourceSchemaOf(
  formats: readonly DatasetFormat[],
): z.ZodType<ResolvedSource, BuiltInOptions & CommonInput> {
  const [first, ...rest] = formats.map(setSchema);
  return z.discriminatedUnion("type", [first!, ...rest]) as unknown as z.ZodType<
    ResolvedSource,
    BuiltInOptions & CommonInput
  >;
}
