// Generated from the schemas by `node scripts/docs.mjs`; edit the descriptions there.

/** What trains and what stays as it is. */
export interface FreezePolicyOptions {
  /** Freeze the vision tower. Default: true. */
  freezeVisionTower?: boolean | undefined;
  /** Freeze the multimodal projector. Default: true. */
  freezeMultiModalProjector?: boolean | undefined;
  /** Freeze the language model. Default: false. */
  freezeLanguageModel?: boolean | undefined;
  /** Another spelling of freeze_language_model. */
  freezeLlm?: boolean | undefined;
  /** Freeze the audio tower. Default: true. */
  freezeAudioTower?: boolean | undefined;
  /** Freeze the audio projector. Default: true. */
  freezeAudioProjector?: boolean | undefined;
  /** Freeze everything but the projectors, of images and of sound, which train; false is the same as leaving it out. */
  trainMmProjOnly?: boolean | undefined;
  /** State by component: frozen, train, or what of it trains. */
  components?: Record<string, "frozen" | "train" | FreezePolicyOptionsComponents> | undefined;
  /** Segments whose output passes no gradient back. */
  stopGradientAfter?: string[] | undefined;
}

/** Train an adapter over the frozen component. */
export interface FreezePolicyOptionsComponentsLora {
  /** Inner size of the adapter's two matrices. */
  rank?: number | undefined;
  /** The product is scaled by alpha / rank. Default: twice the rank. */
  alpha?: number | undefined;
  /** Share of the layer's inputs that the adapter does not see in training. */
  dropout?: number | undefined;
  /** all-linear, or linear layers by whole name or by its last segments (q_proj, self_attn.q_proj). */
  targetModules?: string | string[] | undefined;
  /** Scale by alpha / sqrt(rank) instead. */
  rslora?: boolean | undefined;
}

/** State by component: frozen, train, or what of it trains. */
export interface FreezePolicyOptionsComponents {
  /** Train the last n numbered blocks. */
  lastBlocks?: number | undefined;
  /** Train the first n numbered blocks. */
  firstBlocks?: number | undefined;
  /** Train parameters whose name has this run of whole segments; * is one segment. */
  match?: string | string[] | undefined;
  /** Train an adapter over the frozen component. */
  lora?: FreezePolicyOptionsComponentsLora | undefined;
  /** Frozen before this step, trained from it on. */
  unfreezeAtStep?: number | undefined;
  /** The same in epochs; fractions are allowed. */
  unfreezeAtEpoch?: number | undefined;
  /** Frozen from this step on. */
  freezeAtStep?: number | undefined;
  /** The same in epochs; fractions are allowed. */
  freezeAtEpoch?: number | undefined;
  /** Learning-rate warm-up, in steps from where the component starts to train. */
  warmupSteps?: number | undefined;
}
