import type { BatchSource, Direction, Model, Score, ScoredLoss, Setting } from "@thaw/contracts";
import type { StepContext } from "./contexts.js";
import type { Logger } from "./logger.js";
import type { TrainingOptions } from "./options.js";
import type { Session } from "./session.js";
import type { TrackerOptions } from "../trackers/options.js";

/** A number that is made of an evaluation set's loss, under its name in `metrics.jsonl`. */
export interface LossMetric {
  readonly name: string;
  readonly better: Direction;
  readonly score: (loss: ScoredLoss) => Score;
}

/** A measurement beside the loss, e.g. caption quality. Runs on the run's live weights, between steps. */
export interface Evaluator {
  /** Names the metrics in `metrics.jsonl`, the `evaluated` hook and the summary. */
  readonly name: string;
  /** Besides at the end; default: `training.evaluateEverySteps`. */
  readonly everySteps?: number;
  /** Before the first step; default true. */
  readonly atStart?: boolean;
  /**
   * What it measures, by name, and which values of that are better: for `training.stopWhen` and `training.keep.best`.
   */
  readonly better?: Readonly<Record<string, Direction>>;
  /**
   * Undefined: it was told to stop and measured nothing. Samples and baselines go to `context.record`, before it
   * returns.
   */
  evaluate(session: Session, context: StepContext): Promise<Readonly<Record<string, number>> | undefined>;
}

/** Where a stopped run goes on. */
export interface ResumeOptions {
  /** A run folder (its latest checkpoint is taken, and it is continued in place) or one checkpoint folder in it. */
  readonly from: string;
  /** Goes on although the plan differs: slots of parameters that now train are made, others dropped. */
  readonly acceptPlanChange?: boolean;
  /** Goes on although samples, the tokenizer or the chat template are not what they were. */
  readonly acceptDataChange?: boolean;
}

/** What a trainer is told of a run, besides plugins. */
export interface RunOptions {
  readonly model: Model;
  /** `train` is needed by `run`, not by `plan` and `open`. The caller closes the sources. */
  readonly data?: {
    readonly train?: BatchSource;
    /** Its loss is measured before the first step, every `training.evaluateEverySteps` and at the end. */
    readonly evaluation?: Readonly<Record<string, BatchSource>>;
    /** By evaluation source: what is made of its loss and told beside it. */
    readonly lossMetrics?: Readonly<Record<string, readonly LossMetric[]>>;
  };
  readonly training?: TrainingOptions;
  /** Provenance of every setting, as a config gives it. Absent: all of `training` counts as explicit, given in code. */
  readonly settings?: readonly Setting[];
  /**
   * How many processes train this model together; a plugin connects them by the hook `resolveEnsemble`. Default: 1. A
   * step has `microBatchSize * gradientAccumulationSteps` samples of each.
   */
  readonly processes?: number;
  /** Folder in which the run folder is made. Absent: nothing is written. */
  readonly output?: string;
  /** Start of the run folder's name. */
  readonly runName?: string;
  /** The run folder itself instead of one that is made in `output`. It must not exist. */
  readonly runFolder?: string;
  /**
   * A safetensors file whose parameters replace the model's before the first step: another run's
   * `final/trained.safetensors`. They count as trained: checkpoints and `final/` hold them too.
   */
  readonly startFrom?: string;
  /** Written to the run folder as `config.json`; default: training options, seed and the model's source. */
  readonly config?: unknown;
  /** What it was started with (a command, versions), by name; kept with the run beside what core knows itself. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Ends the run as `Trainer.stop` does, with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Required by `run`. Shuffling, dropout and initial values are functions of it. */
  readonly seed?: number;
  readonly logger?: Logger;
  readonly evaluators?: readonly Evaluator[];
  readonly resume?: ResumeOptions;
  /** Who is told of the run while it goes on, by the types that plugins provide; needs a run folder. */
  readonly trackers?: readonly TrackerOptions[];
}
