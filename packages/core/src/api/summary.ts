import type { Finding, GradientFlow } from "@thaw/contracts";

/** A trained parameter that got no gradient, or a gradient of zeros, for several steps in a row. */
export interface DeadGradient {
  readonly name: string;
  readonly component: string;
  /** `none`: the loss does not depend on it; `zero`: it does, and the derivative is 0 everywhere. */
  readonly kind: "none" | "zero";
  /** First step of the stretch. */
  readonly fromStep: number;
  /** Length of the longest stretch so far. */
  readonly steps: number;
  /** The likely reason, a sentence without its full stop. */
  readonly reason: string;
}

/**
 * Result of comparing the fingerprints of a component's frozen parameters, before the first and after the last step.
 */
export interface FrozenProof {
  /** `buffers` for the model's buffers, of all components together. */
  readonly component: string;
  readonly parameterCount: number;
  /** sha256 over names and float32 values. */
  readonly before: string;
  readonly after: string;
  readonly isUnchanged: boolean;
}

/** The best checkpoint of a run, by `training.keep.best`. */
export interface BestSummary {
  readonly evaluation: string;
  readonly metric: string;
  readonly value: number;
  /** Steps done. */
  readonly step: number;
  /** The checkpoint, or `final/` where the last step was the best one; absent if nothing is written. */
  readonly folder?: string;
}

/** What a run did. Plugins may add to `lines` and `numbers` in the `done` hook. */
export interface RunSummary {
  readonly runFolder?: string;
  readonly steps: number;
  readonly epochs: number;
  readonly stopReason: string;
  /** True if `Trainer.stop` ended the run before its end: a checkpoint was written, and it can be resumed. */
  readonly isInterrupted: boolean;
  /** Mean loss per supervised token of the first and the last step. */
  readonly firstLoss?: number;
  readonly lastLoss?: number;
  readonly durationMs: number;
  /** Time in forward, backward and update alone. */
  readonly trainingMs: number;
  readonly tokens: number;
  readonly peakTensorBytes: number;
  readonly components: readonly {
    readonly name: string;
    readonly trainable: number;
    readonly frozen: number;
    readonly flows: readonly GradientFlow[];
  }[];
  readonly frozenProof: readonly FrozenProof[];
  readonly findings: readonly Finding[];
  /** Trained parameters that got no gradient, or one of zeros, for `training.deadGradientSteps` steps in a row. */
  readonly deadGradients: readonly DeadGradient[];
  /** Latest metrics by evaluation name. */
  readonly evaluations: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** Absent where `training.keep.best` asks for none, or nothing was measured between steps. */
  readonly best?: BestSummary;
  readonly lines: string[];
  readonly numbers: Record<string, number>;
}

/** The state of a run that failed. */
export interface SavedState {
  /** Steps done. */
  readonly step: number;
  /** The checkpoint's folder, or `final/` where the run was over. */
  readonly folder: string;
  /** Where the checkpoint belongs; present if the run folder could not be written and it lies elsewhere. */
  readonly belongsTo?: string;
}
