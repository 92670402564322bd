import { z } from "zod";

const count = z.number().int().positive();
const position = z.number().nonnegative();

/** LoRA settings (Hu et al., arXiv:2106.09685), named as PEFT names them. */
export const loraSchema = z.strictObject({
  rank: count.optional(),
  alpha: z.number().positive().optional(),
  dropout: z.number().min(0).max(1).optional(),
  targetModules: z.array(z.string()).nonempty().optional(),
  target_modules: z.array(z.string()).nonempty().optional(),
});

/** What of a component trains, when; everything not named stays frozen. */
export const componentStateSchema = z.strictObject({
  lastBlocks: count.optional().meta({ description: "Train the last n numbered blocks." }),
  last_blocks: count.optional(),
  firstBlocks: count.optional().meta({ description: "Train the first n numbered blocks." }),
  first_blocks: count.optional(),
  match: z.union([z.string(), z.array(z.string()).nonempty()]).optional().meta({ description: "Train parameters whose name has this run of whole segments; * is one segment." }),
  lora: loraSchema.optional().meta({ description: "Train an adapter over the frozen component." }),
  unfreezeAtStep: position.int().optional().meta({ description: "Frozen before this step, trained from it on." }),
  unfreeze_at_step: position.int().optional(),
  unfreezeAtEpoch: position.optional().meta({ description: "The same in epochs; fractions are allowed." }),
  unfreeze_at_epoch: position.optional(),
  freezeAtStep: position.int().optional().meta({ description: "Frozen from this step on." }),
  freeze_at_step: position.int().optional(),
  freezeAtEpoch: position.optional(),
  freeze_at_epoch: position.optional(),
  warmupSteps: position.int().optional().meta({ description: "Learning-rate warm-up, in steps from where the component starts to train." }),
  warmup_steps: position.int().optional(),
});

const flag = z.boolean().optional();
const described = (description: string) => flag.meta({ description });

/**
 * The `freeze` section. Every key exists in camel case and in snake case; giving both with different values is a finding
 * (`aliases-disagree`), so the schema takes both. Defaults are in `FLAG_DEFAULTS`: a default is not a setting of the user's.
 */
export const freezeSchema = z.strictObject({
  freezeVisionTower: described("Freeze the vision tower (default true)."),
  freeze_vision_tower: flag,
  freezeMultiModalProjector: described("Freeze the multimodal projector (default true)."),
  freeze_multi_modal_projector: flag,
  freezeLanguageModel: described("Freeze the language model (default false)."),
  freeze_language_model: flag,
  freezeLlm: described("Another spelling of freezeLanguageModel."),
  freeze_llm: flag,
  trainMmProjOnly: described("Freeze everything but the multimodal projector, which trains."),
  train_mm_proj_only: flag,
  components: z.record(z.string(), z.union([z.enum(["frozen", "train"]), componentStateSchema])).optional()
    .meta({ description: "State by component: frozen, train, or what of it trains." }),
  stopGradientAfter: z.array(z.string()).optional().meta({ description: "Segments whose output passes no gradient back." }),
  stop_gradient_after: z.array(z.string()).optional(),
});

/** As users write it. */
export type FreezePolicyOptions = z.input<typeof freezeSchema>;
/** LoRA settings of one component, as users write them. */
export type LoraOptions = z.input<typeof loraSchema>;
