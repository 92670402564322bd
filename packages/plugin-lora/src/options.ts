import { z } from "zod";

/** Every linear layer of the component. PEFT's word. */
export const ALL_LINEAR = "all-linear";

/**
 * One adapter request: `lora` of a `components` entry (Hu et al., arXiv:2106.09685; `rslora`: Kalajdzievski,
 * arXiv:2312.03732). Names and meanings are PEFT's; the freeze policy's schema describes them.
 */
export const loraSchema = z.strictObject({
  rank: z.number().int().positive().default(8),
  alpha: z.number().positive().optional(),
  dropout: z.number().min(0).lt(1).default(0),
  targetModules: z.union([z.string().min(1), z.array(z.string().min(1)).nonempty()]).default(ALL_LINEAR),
  rslora: z.boolean().default(false),
});

/** As code reads it. */
export interface ResolvedLora {
  readonly rank: number;
  readonly alpha: number;
  readonly dropout: number;
  readonly targetModules: string | readonly string[];
  readonly rslora: boolean;
}

/** The `lora` section: what belongs to the run, not to one component. */
export const loraSectionSchema = z
  .strictObject({
    adapter: z
      .string()
      .min(1)
      .optional()
      .meta({ description: "Folder of an adapter in PEFT's layout to start from.", format: "path" }),
    save: z.boolean().default(true).describe("Write the adapter in PEFT's layout at the end of a run."),
  })
  .prefault({})
  .describe("Where adapters come from and go to.");

/** As users write it. */
export type { LoraSectionOptions } from "./option-types.js";
export type ResolvedLoraSection = z.output<typeof loraSectionSchema>;
