import type { Finding, GradientFlow, Plan } from "@thaw/contracts";
import { ThawError } from "@thaw/contracts";
import { createHooks, type PlannedContext, type TrainerHooks } from "./hooks.js";
import { silentLogger, type Logger } from "./logger.js";
import { trainingSchema, type ResolvedTrainingOptions } from "./options.js";
import type { Session } from "./session.js";
import type { RunSummary } from "./summary.js";
import type { TrainerOptions } from "./trainer-options.js";

/** What `Trainer.plan` found out: no weight was read, no backend loaded. */
export interface PlanResult extends PlannedContext {
  /** True if an error finding is left: `run` and `open` would throw THAW_CORE_PLAN_REFUSED. */
  readonly isRefused: boolean;
}

/** One tap, in the order in which a hook calls it. */
export interface TapDescription {
  readonly hook: string;
  readonly plugin: string;
  readonly stage: number;
  readonly callCount: number;
  readonly durationMs: number;
}

/**
 * Trains a model under a plan. Plugins tap `hooks`; without any, every parameter trains.
 * Construction is cheap: options are checked and plugins applied, no file and no tensor is touched.
 */
export class Trainer {
  readonly hooks: TrainerHooks = createHooks();
  readonly options: TrainerOptions;
  /** Options with defaults filled in; deep-frozen. */
  readonly training: ResolvedTrainingOptions;
  readonly logger: Logger;

  /** @throws THAW_CORE_TRAINING_INVALID, THAW_CORE_PLUGIN_NAME_TWICE, THAW_CORE_PLUGIN_API_VERSION, THAW_CORE_PLUGIN_FAILED */
  constructor(options: TrainerOptions) {
    this.options = options;
    this.logger = options.logger ?? silentLogger;
    this.training = trainingSchema.parse(options.training ?? {});
    for (const plugin of options.plugins ?? []) if (plugin) plugin.apply(this);
  }

  /** Stops at `planned`; user errors are findings of the result, not exceptions. */
  plan(): Promise<PlanResult> { return Promise.reject(notYet()); }

  /** Plans, picks the backend and loads the weights, for evaluation and generation. @throws THAW_CORE_PLAN_REFUSED */
  open(): Promise<Session> { return Promise.reject(notYet()); }

  /** The whole run. @throws THAW_CORE_PLAN_REFUSED and what the run meets */
  run(): Promise<RunSummary> { return Promise.reject(notYet()); }

  /** Ends the run after the current step, with a checkpoint if a run folder is written. Later calls change nothing. */
  stop(reason: string): void { void reason; }

  /** Every tap in calling order, with how often it ran and for how long. */
  describeHooks(): readonly TapDescription[] { return []; }
}

function notYet(): ThawError { return new ThawError("THAW_CORE_NOT_YET", "Being written."); }

export type { Finding, GradientFlow, Plan };
