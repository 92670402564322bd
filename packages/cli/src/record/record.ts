import type { PlannedContext, RunEvent, RunSummary, StepEvent } from "@thaw/core";
import type { Comparison } from "@thaw/report";

/** One optimizer step, as the terminal needs it. */
export interface StepPoint {
  readonly step: number;
  readonly loss: number;
  readonly durationMs: number;
  /** Most bytes in tensors during the step. */
  readonly peakBytes: number;
}

/** Token F1 and exact match, each in [0, 1]. */
export interface Scores {
  readonly exactMatch: number;
  readonly tokenF1: number;
}

/** One sample's answer. */
export interface Answer {
  /** Position in the evaluation's source. */
  readonly index: number;
  readonly id: string;
  readonly reference: string;
  readonly answer: string;
  readonly tokenF1: number;
}

/** One evaluation of captions at one step. */
export interface CaptionResult extends Scores {
  readonly step: number;
  readonly samples: number;
  /** Names that the training set does not have at all. */
  readonly notScored: number;
  readonly answers: readonly Answer[];
}

/** Baselines beside an evaluation; a name is absent where it cannot be computed. */
export interface Baselines {
  readonly majority?: Scores & { readonly caption?: string };
  readonly nearestNeighbour?: Scores;
}

/** What one caption evaluation measured over a run. */
export interface CaptionRecord {
  readonly name: string;
  before?: CaptionResult;
  after?: CaptionResult;
  baselines: Baselines;
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
