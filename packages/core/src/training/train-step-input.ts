import type { ScheduleFactory } from "../schedules/schedule.js";
import type { Batch } from "@thaw/contracts";
import type { AfterStepContext, StepContext } from "../api/contexts.js";
import type { TrainerHooks } from "../api/hooks.js";
import type { Optimizer } from "../api/optimizer.js";
import type { ResolvedTrainingOptions } from "../api/options.js";
import type { DeadGradient } from "../api/summary.js";
import type { Ensemble } from "../ensemble/ensemble.js";
import type { SharedStop } from "../ensemble/shared-stop.js";
import type { ModelRunner } from "../model/model-runner.js";
import type { RunTrackers } from "../trackers/run-trackers.js";
import type { DeadGradients } from "./dead-gradients.js";

/** What one step did. */
export interface StepResult extends Omit<AfterStepContext, keyof StepContext | "durationMs" | "times" | "peakBytes"> {
  readonly times: Omit<AfterStepContext["times"], "loadMs">;
}

/** What steps need of a run. */
export interface TrainStepInput {
  readonly hooks: TrainerHooks;
  readonly runner: ModelRunner;
  readonly training: ResolvedTrainingOptions;
  readonly optimizer: Optimizer;
  /** The plugin that made it. */
  readonly optimizerPlugin: string | undefined;
  readonly deadGradients: DeadGradients;
  /** Told of trained parameters that got no gradient for long enough to say so. */
  readonly onDead: (found: readonly DeadGradient[]) => void;
  /** Told of histograms where one of them asks. */
  readonly trackers: Pick<RunTrackers, "wantsHistograms" | "histograms"> | undefined;
  readonly totalSteps: number;
  readonly schedules: readonly ScheduleFactory[];
  readonly ensemble: Ensemble;
  readonly stop: SharedStop;
  readonly checkpointed: (batch: Batch) => ReadonlySet<string>;
  /** Updates by parameter, from a checkpoint. */
  readonly updates?: Readonly<Record<string, number>>;
}
