import { z } from "zod";
import { parseBytes } from "./sizes.js";

/** A number of bytes, or a size such as `2GB` (1000s) or `2GiB` (1024s). */
const bytesSchema = z.union([
  z.number().int().nonnegative(),
  z.string().transform((text, context) => {
    const bytes = parseBytes(text);
    if (bytes !== undefined) return bytes;
    context.addIssue({
      code: "custom",
      message: `"${text}" is not a size; write bytes as a number, or a size such as 2GB or 512MiB`,
    });
    return z.NEVER;
  }),
]);

const storesSchema = z.strictObject({
  memory: bytesSchema
    .optional()
    .describe(
      "Features kept in memory: bytes, or a size such as 2GB; 0 for none. Default: a quarter of the machine's memory.",
    ),
  disk: z
    .union([z.boolean(), z.number().int().positive(), z.string().min(1)])
    .default(false)
    .describe(
      "Features kept on disk. true: under the user's cache folder; a path: there; a size: under the cache " +
        "folder, at most that much; false: none.",
    ),
});

const featureCacheSchema = z.union([z.enum(["auto", "on", "off"]), z.boolean(), storesSchema]);

const saving = (text: string): z.ZodDefault<z.ZodBoolean> => z.boolean().default(true).describe(text);

const savingsSchema = z
  .strictObject({
    padding: saving("Leave out rows of padding."),
    tail: saving("Leave out tokens behind a sample's last supervised one."),
    lastLayer: saving("Of the last layer make keys and values alone on rows that are not supervised."),
    logits: saving(
      "Multiply with the vocabulary on supervised rows alone. false also keeps the tail and the whole last layer.",
    ),
    prefix: saving(
      "Where the language model is frozen: no gradient before a sample's first image, and a beginning that " +
        "prompts share is computed once.",
    ),
    releaseTower: saving(
      "Free the parameters of a frozen tower once the features of all images are kept, and read them again if an " +
        "image needs them.",
    ),
  })
  .prefault({});

/** The `projectorOnly` section. */
export const projectorOnlySchema = z
  .strictObject({
    featureCache: featureCacheSchema
      .prefault("auto")
      .describe(
        "Keep the outputs of frozen segments that read images, instead of computing them again in every epoch. A " +
          "mapping means on.",
      ),
    required: z.boolean().default(false).describe("Demand that nothing but the projector trains."),
    savings: savingsSchema.describe(
      "What a step may leave out, each by itself. Losses and gradients are the same with and without, up to rounding.",
    ),
  })
  .prefault({})
  .transform(({ featureCache, required, savings }) => ({
    featureCache: resolveFeatureCache(featureCache),
    required,
    savings,
  }))
  .describe("What is saved where the vision tower is frozen.");

/** As users write it. */
export type { ProjectorOnlyOptions } from "./option-types.js";

/** As code reads it. */
export interface ResolvedFeatureCacheOptions {
  /** `auto`: used where it can be and where it fits; `on`: used, and an error where it cannot be. */
  readonly mode: "auto" | "on" | "off";
  /** Absent: decided from the machine's memory. */
  readonly memoryBytes?: number;
  /** Absent: decided (`auto`) or none (`on`). */
  readonly disk?: ResolvedDiskOptions | false;
}

export interface ResolvedDiskOptions {
  /** Absent: under the user's cache folder. As the user wrote it: relative to the config file. */
  readonly folder?: string;
  /** Of all stores in the folder together. Absent: as much as is free. */
  readonly limitBytes?: number;
}

/** Which savings are on. */
export type ResolvedSavingsOptions = z.output<typeof savingsSchema>;

export type ResolvedProjectorOnlyOptions = z.output<typeof projectorOnlySchema>;

function resolveFeatureCache(option: z.output<typeof featureCacheSchema>): ResolvedFeatureCacheOptions {
  if (typeof option === "string") return { mode: option };
  if (typeof option === "boolean") return { mode: option ? "on" : "off" };
  return { mode: "on", memoryBytes: option.memory, disk: resolveDisk(option.disk) };
}

function resolveDisk(disk: boolean | number | string): ResolvedDiskOptions | false {
  if (typeof disk === "boolean") return disk ? {} : false;
  const limitBytes = typeof disk === "number" ? disk : parseBytes(disk);
  return limitBytes === undefined ? { folder: String(disk) } : { limitBytes };
}
