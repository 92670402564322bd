import type { Plan } from "@thaw/contracts";
import type { ResolvedTrainingOptions } from "./options.js";
import type { CheckpointState } from "./contexts.js";
import type { MetricsLine } from "../stream/metrics-line.js";

/** Version of `state.json`; a newer one is refused. */
export const STATE_VERSION = 1;

/** Where in the data a run stands. */
export interface DataPosition {
  readonly epoch: number;
  /** Micro-batches of this epoch that are done. */
  readonly microBatch: number;
}

/** Evaluations of a run so far. */
export interface EvaluationState {
  readonly latest: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly lastStep: Readonly<Record<string, number>>;
}

/** What a checkpoint keeps of a stop rule. */
export interface StopRuleState {
  readonly evaluation?: string;
  readonly best?: number;
  /** Evaluations since the best one. */
  readonly since: number;
}

/** What a checkpoint keeps of the best one: after which step a metric was best. */
export interface BestState {
  readonly evaluation: string;
  readonly best: number;
  readonly step: number;
  /** Where it lies if that is another run's folder, from which this one was branched. */
  readonly folder?: string;
}

/** Totals of a run so far, for the summary of one that was resumed. */
export interface RunTotals {
  readonly firstLoss?: number;
  readonly lastLoss?: number;
  readonly tokens: number;
  readonly durationMs: number;
  readonly trainingMs: number;
  readonly peakTensorBytes: number;
}

/** `state.json` of a checkpoint: all that a run needs to go on, besides tensors. */
export interface RunState {
  readonly version: typeof STATE_VERSION;
  /** Steps done. */
  readonly step: number;
  readonly position: DataPosition;
  readonly seed: number;
  /** Samples of the training source, to notice another one. */
  readonly sampleCount: number;
  /** What the training source was made of; see `BatchSource.identity`. */
  readonly data?: Readonly<Record<string, string>>;
  readonly planHash: string;
  readonly plan: Plan;
  /** Over what was frozen at this point. */
  readonly baseFingerprint: string;
  readonly training: ResolvedTrainingOptions;
  /** How many trained together. Absent: one. */
  readonly processes?: number;
  readonly optimizer: string;
  /** Updates by parameter. */
  readonly updates: Readonly<Record<string, number>>;
  readonly evaluation: EvaluationState;
  /** Of `training.stopWhen`. */
  readonly stopRule?: StopRuleState;
  /** Of `training.keep.best`. */
  readonly best?: BestState;
  readonly totals: RunTotals;
  readonly plugins: CheckpointState;
  /** Lines of `metrics.jsonl` that belong to these steps and could not be written; a resumed run writes them. */
  readonly unwritten?: readonly MetricsLine[];
}
