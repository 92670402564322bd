import type { FoundCheckpoint } from "../checkpoint/read-checkpoint.js";
import type { PlannedContext } from "../api/contexts.js";
import type { Optimizer } from "../api/optimizer.js";
import type { RunFiles } from "../checkpoint/run-files.js";
import type { Saver } from "../checkpoint/saver.js";
import type { Evaluation } from "../evaluation/evaluation.js";
import type { LoadedModel } from "../model/loaded-model.js";
import type { StopRule } from "../training/stop-rule.js";
import type { TrainLoop } from "../training/train-loop.js";
import type { TrainStep } from "../training/train-step.js";
import type { FrozenGuard } from "../weights/frozen-guard.js";
import type { TrainerParts } from "./trainer-parts.js";

/** A run that is ready to begin. */
export interface MadeRun {
  readonly loaded: LoadedModel;
  readonly optimizer: Optimizer;
  readonly trainStep: TrainStep;
  readonly evaluation: Evaluation;
  readonly guard: FrozenGuard;
  readonly loop: TrainLoop;
  /** Absent where nothing is written. */
  readonly files: RunFiles | undefined;
  readonly saver: Saver | undefined;
}

/** What the loop is made of. */
export interface LoopParts extends Pick<MadeRun, "loaded" | "trainStep"> {
  readonly stopRule: StopRule;
  readonly peakBytes: () => number;
}

/** What a run starts from, beside the trainer. */
export interface TrainingRunInput {
  readonly parts: TrainerParts;
  readonly planned: PlannedContext;
  readonly checkpoint: FoundCheckpoint | undefined;
  readonly stopReason: () => string | undefined;
  /** Throws what `Trainer.fail` was told. */
  readonly throwFailure: () => void;
}
