import type { PlannedContext } from "./contexts.js";
import type { TrainerHooks } from "./hooks.js";
import type { Logger } from "./logger.js";
import type { ResolvedTrainingOptions } from "./options.js";
import type { RunOptions } from "./run-options.js";

/** What `Trainer.plan` found out: no weight was read, no backend loaded. */
export interface PlanResult extends PlannedContext {
  /** True if an error finding is left: `run` and `open` would throw THAW_CORE_PLAN_REFUSED. */
  readonly isRefused: boolean;
}

/** A trainer as plugins see it. */
export interface TrainerApi {
  readonly hooks: TrainerHooks;
  readonly options: RunOptions;
  /** Options with defaults filled in; deep-frozen. */
  readonly training: ResolvedTrainingOptions;
  readonly logger: Logger;
  /**
   * Stops at `planned`, once for all calls; errors of users are findings of the result, not exceptions. @throws
   * THAW_CORE_CHECKPOINT_NOT_FOUND when resuming
   */
  plan(): Promise<PlanResult>;
  /** What `stop` was told first; undefined before. */
  readonly stopReason: string | undefined;
  /** Ends the run after the current step, with a checkpoint if a run folder is written. Later calls change nothing. */
  stop(reason: string): void;
}
