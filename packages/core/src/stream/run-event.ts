import type { RunSummary, SavedState } from "../api/summary.js";
import type { BaselineEvent, EvaluatedEvent, StepEvent } from "./metrics-line.js";

/** The first event of a run, or of its going on: weights are loaded. `step` counts the steps done before. */
export interface StartedEvent {
  readonly event: "started";
  readonly step: number;
  readonly totalSteps: number;
  readonly planHash: string;
  /** The backend's description. */
  readonly backend: string;
  /** The checkpoint folder that the run goes on from. */
  readonly resumedFrom?: string;
}

/** A checkpoint was written after `step` steps. */
export interface CheckpointEvent {
  readonly event: "checkpoint";
  readonly step: number;
  readonly folder: string;
  readonly durationMs: number;
}

/** A picture as a file holds it. */
export interface EventImage {
  readonly type: "image/png" | "image/jpeg" | "image/webp";
  readonly bytes: Uint8Array;
}

/** What the model made of one sample after `step` steps: texts, numbers and pictures by name. */
export interface SampleEvent {
  readonly event: "sample";
  readonly step: number;
  /** The evaluation. */
  readonly name: string;
  /** Position in the evaluation's source. */
  readonly index: number;
  readonly id: string;
  /** `question`, `reference` and `answer`, and what else there is. */
  readonly texts: Readonly<Record<string, string>>;
  readonly numbers: Readonly<Record<string, number>>;
  readonly images: readonly EventImage[];
}

/** What a logger warned of during the run. */
export interface WarningEvent {
  readonly event: "warning";
  readonly step: number;
  readonly text: string;
}

/** The run came to its end, or was stopped. The last event. */
export interface DoneEvent {
  readonly event: "done";
  readonly step: number;
  readonly summary: RunSummary;
}

/** The run failed. The last event. */
export interface FailedEvent {
  readonly event: "failed";
  readonly step: number;
  readonly code?: string;
  readonly message: string;
  /** Where the state after the last whole step is; absent where there is none. */
  readonly saved?: SavedState;
}

/** What happens in a run, in order. `step` counts the steps that are done. */
export type RunEvent =
  | StartedEvent
  | StepEvent
  | EvaluatedEvent
  | BaselineEvent
  | SampleEvent
  | CheckpointEvent
  | WarningEvent
  | DoneEvent
  | FailedEvent;

/** What evaluators and plugins may add to the stream. */
export type AddedEvent = BaselineEvent | SampleEvent | WarningEvent;
