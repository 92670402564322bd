import { z } from "zod";

const UNITS: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
};

/** The most that a WASM memory can hold. */
export const DEFAULT_MEMORY_LIMIT = 4 * 2 ** 30;

const bytesSchema = z.union([
  z.number().int().positive(),
  z.string().transform((text, context) => {
    const [, digits, unit] = /^\s*(\d+(?:\.\d+)?)\s*(B|kB|MB|GB|KiB|MiB|GiB)\s*$/.exec(text) ?? [];
    if (digits !== undefined) return Number(digits) * UNITS[unit!]!;
    context.addIssue({
      code: "custom",
      message: `"${text}" is not a size; write bytes as a number, or a size such as 2GB or 512MiB`,
    });
    return z.NEVER;
  }),
]);

/** The `checks` section. */
export const checksSchema = z
  .strictObject({
    rules: z
      .record(z.string(), z.enum(["off", "note", "warning", "error"]))
      .default({})
      .describe("Severity by rule id."),
    memoryLimit: bytesSchema
      .prefault(DEFAULT_MEMORY_LIMIT)
      .describe("What tensors may take, for the rule missing-checkpointing: bytes, or a size such as 2GB."),
  })
  .describe("How conflicts between settings are reported.");

/** As users write it. */
export type { ConflictCheckerOptions } from "./option-types.js";
export type ResolvedConflictCheckerOptions = z.output<typeof checksSchema>;
