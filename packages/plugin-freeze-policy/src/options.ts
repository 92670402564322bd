import { z } from "zod";
import { FLAG_DEFAULTS } from "./intent/vocabulary.js";

const count = z.number().int().positive();
const position = z.number().nonnegative();

/**
 * LoRA settings (Hu et al., arXiv:2106.09685), named as PEFT names them; the plugin that makes adapters has the
 * defaults.
 */
export const loraSchema = z.strictObject({
  rank: count.optional().describe("Inner size of the adapter's two matrices."),
  alpha: z.number().positive().optional().describe("The product is scaled by alpha / rank. Default: twice the rank."),
  dropout: z
    .number()
    .min(0)
    .lt(1)
    .optional()
    .describe("Share of the layer's inputs that the adapter does not see in training."),
  targetModules: z
    .union([z.string().min(1), z.array(z.string().min(1)).nonempty()])
    .optional()
    .describe("all-linear, or linear layers by whole name or by its last segments (q_proj, self_attn.q_proj)."),
  rslora: z.boolean().optional().describe("Scale by alpha / sqrt(rank) instead."),
});

/** What of a component trains, when; everything not named stays frozen. */
export const componentStateSchema = z.strictObject({
  lastBlocks: count.optional().describe("Train the last n numbered blocks."),
  firstBlocks: count.optional().describe("Train the first n numbered blocks."),
  match: z
    .union([z.string(), z.array(z.string()).nonempty()])
    .optional()
    .describe("Train parameters whose name has this run of whole segments; * is one segment."),
  lora: loraSchema.optional().describe("Train an adapter over the frozen component."),
  unfreezeAtStep: position.int().optional().describe("Frozen before this step, trained from it on."),
  unfreezeAtEpoch: position.optional().describe("The same in epochs; fractions are allowed."),
  freezeAtStep: position.int().optional().describe("Frozen from this step on."),
  freezeAtEpoch: position.optional().describe("The same in epochs; fractions are allowed."),
  warmupSteps: position
    .int()
    .optional()
    .describe("Learning-rate warm-up, in steps from where the component starts to train."),
});

const flag = z.boolean().optional();
/** The default is printed, not filled in. */
const baseFlag = (key: string, description: string) => flag.meta({ description, default: FLAG_DEFAULTS[key] });

/**
 * The `freeze` section, keys in camel case (a config file may spell them in snake case; `config` translates, the
 * settings keep the user's spelling). Defaults are not filled in here but are in `FLAG_DEFAULTS`: a default is not a
 * setting of the user's.
 */
export const freezeSchema = z
  .strictObject({
    freezeVisionTower: baseFlag("freezeVisionTower", "Freeze the vision tower."),
    freezeMultiModalProjector: baseFlag("freezeMultiModalProjector", "Freeze the multimodal projector."),
    freezeLanguageModel: baseFlag("freezeLanguageModel", "Freeze the language model."),
    freezeLlm: flag.describe("Another spelling of freeze_language_model."),
    freezeAudioTower: baseFlag("freezeAudioTower", "Freeze the audio tower."),
    freezeAudioProjector: baseFlag("freezeAudioProjector", "Freeze the audio projector."),
    trainMmProjOnly: flag.describe(
      "Freeze everything but the projectors, of images and of sound, which train; false is the same as leaving it out.",
    ),
    components: z
      .record(z.string(), z.union([z.enum(["frozen", "train"]), componentStateSchema]))
      .optional()
      .describe("State by component: frozen, train, or what of it trains."),
    stopGradientAfter: z.array(z.string()).optional().describe("Segments whose output passes no gradient back."),
  })
  .describe("What trains and what stays as it is.");

/** As users write it. */
export type { FreezePolicyOptions } from "./option-types.js";
export type ResolvedFreezePolicyOptions = z.output<typeof freezeSchema>;
/** LoRA settings of one component, as users write them. */
export type LoraOptions = z.input<typeof loraSchema>;
