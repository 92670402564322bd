import { z } from "zod";

const count = z.number().int().positive();
const position = z.number().nonnegative();

/** LoRA settings (Hu et al., arXiv:2106.09685), named as PEFT names them; the plugin that makes adapters has the defaults. */
export const loraSchema = z.strictObject({
  rank: count.optional(),
  alpha: z.number().positive().optional(),
  dropout: z.number().min(0).lt(1).optional(),
  targetModules: z.union([z.string().min(1), z.array(z.string().min(1)).nonempty()]).optional(),
  rslora: z.boolean().optional(),
});

/** What of a component trains, when; everything not named stays frozen. */
export const componentStateSchema = z.strictObject({
  lastBlocks: count.optional().meta({ description: "Train the last n numbered blocks." }),
  firstBlocks: count.optional().meta({ description: "Train the first n numbered blocks." }),
  match: z.union([z.string(), z.array(z.string()).nonempty()]).optional().meta({ description: "Train parameters whose name has this run of whole segments; * is one segment." }),
  lora: loraSchema.optional().meta({ description: "Train an adapter over the frozen component." }),
  unfreezeAtStep: position.int().optional().meta({ description: "Frozen before this step, trained from it on." }),
  unfreezeAtEpoch: position.optional().meta({ description: "The same in epochs; fractions are allowed." }),
  freezeAtStep: position.int().optional().meta({ description: "Frozen from this step on." }),
  freezeAtEpoch: position.optional(),
  warmupSteps: position.int().optional().meta({ description: "Learning-rate warm-up, in steps from where the component starts to train." }),
});

const flag = z.boolean().optional();
const described = (description: string) => flag.meta({ description });

/**
 * The `freeze` section, keys in camel case (a config file may spell them in snake case; `config` translates, the settings keep the
 * user's spelling). Defaults are not filled in here but are in `FLAG_DEFAULTS`: a default is not a setting of the user's.
 */
export const freezeSchema = z.strictObject({
  freezeVisionTower: described("Freeze the vision tower (default true)."),
  freezeMultiModalProjector: described("Freeze the multimodal projector (default true)."),
  freezeLanguageModel: described("Freeze the language model (default false)."),
  freezeLlm: described("Another spelling of freezeLanguageModel."),
  trainMmProjOnly: described("Freeze everything but the multimodal projector, which trains."),
  components: z.record(z.string(), z.union([z.enum(["frozen", "train"]), componentStateSchema])).optional()
    .meta({ description: "State by component: frozen, train, or what of it trains." }),
  stopGradientAfter: z.array(z.string()).optional().meta({ description: "Segments whose output passes no gradient back." }),
});

/** As users write it. */
export type FreezePolicyOptions = z.input<typeof freezeSchema>;
/** LoRA settings of one component, as users write them. */
export type LoraOptions = z.input<typeof loraSchema>;
