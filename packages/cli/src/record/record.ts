import type { Direction, PlannedContext, RunEvent, RunSummary, StepEvent } from "@thaw/core";
import type { AnswerEvaluation, AnswerPrediction, Scores } from "@thaw/plugin-captions";
import type { Comparison } from "@thaw/report";

/** One optimizer step, as the terminal needs it. */
export interface StepPoint {
  readonly step: number;
  readonly loss: number;
  readonly durationMs: number;
  /** Most bytes in tensors during the step. */
  readonly peakBytes: number;
}

/** One evaluation of a set's answers at one step. */
export interface CaptionResult {
  readonly step: number;
  readonly scores: Scores;
  readonly samples: number;
  /** Names that the training set does not have at all. */
  readonly unscored: number;
  readonly predictions: readonly AnswerPrediction[];
}

/** What the evaluation of a set's answers measured over a run. */
export interface CaptionRecord {
  readonly name: string;
  /** Each metric, in the order of the config, and which of its values are better. */
  readonly better: Readonly<Record<string, Direction>>;
  before?: CaptionResult;
  after?: CaptionResult;
  baselines: AnswerEvaluation["baselines"];
}

/** Everything that the terminal says of a run; filled in while it goes on. */
export interface RunRecord {
  backend?: string;
  planned?: PlannedContext;
  readonly steps: StepPoint[];
  readonly captions: CaptionRecord[];
  /** The progress bar does not show training: at the start, and after something else used it. */
  isBarTaken: boolean;
  summary?: RunSummary;
  /** What freezing saved: the run itself against a few steps with everything trainable. */
  saving?: Comparison;
}

/** A record of a run that has not begun. */
export function newRecord(): RunRecord {
  return { steps: [], captions: [], isBarTaken: true };
}

/** The record as a subscriber of a run's events. */
export function recordEvents(record: RunRecord): (event: RunEvent) => void {
  return (event) => {
    if (event.event === "started") record.backend = event.backend;
    else if (event.event === "step") addStep(record, event);
    else if (event.event === "done") record.summary = event.summary;
  };
}

/** Adds a step, of a run that goes on or of one that is taken up again. */
export function addStep(record: RunRecord, { step, loss, durationMs, peakBytes = 0 }: StepEvent): void {
  record.steps.push({ step, loss, durationMs, peakBytes });
}
