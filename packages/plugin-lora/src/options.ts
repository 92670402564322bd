import { z } from "zod";

/** Every linear layer of the component. PEFT's word. */
export const ALL_LINEAR = "all-linear";

/** One adapter request: `lora` of a `components` entry (Hu et al., arXiv:2106.09685). Names and meanings are PEFT's. */
export const loraSchema = z.strictObject({
  /** Inner size of the two matrices. */
  rank: z.number().int().positive().default(8),
  /** The product is scaled by `alpha / rank`. Default: twice the rank. */
  alpha: z.number().positive().optional(),
  /** Share of the layer's inputs that the adapter does not see while training. */
  dropout: z.number().min(0).lt(1).default(0),
  /** `all-linear`, or names: a module's whole name, or its last segments (`q_proj`, `self_attn.q_proj`). */
  targetModules: z.union([z.string().min(1), z.array(z.string().min(1)).nonempty()]).default(ALL_LINEAR),
  /** Scale by `alpha / sqrt(rank)` (Kalajdzievski, arXiv:2312.03732). */
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
    adapter: z.string().min(1).optional().meta({ description: "Folder of an adapter in PEFT's layout to start from.", format: "path" }),
    save: z.boolean().default(true).meta({ description: "Write the adapter in PEFT's layout at the end of a run." }),
  })
  .prefault({});

/** As users write it. */
export type LoraSectionOptions = z.input<typeof loraSectionSchema>;
export type ResolvedLoraSection = z.output<typeof loraSectionSchema>;
