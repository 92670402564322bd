import type { z } from "zod";
import type { RunFacts } from "../api/contexts.js";
import type { Logger } from "../api/logger.js";
import type { RunEvent } from "../stream/run-event.js";

/** How many of a tensor's values lie in which range. `edges` has one number more than `counts`; edges rise. */
export interface Histogram {
  readonly min: number;
  readonly max: number;
  /** Of all values that are finite, as their sum and the sum of their squares are. */
  readonly count: number;
  readonly sum: number;
  readonly sumOfSquares: number;
  readonly edges: readonly number[];
  readonly counts: readonly number[];
}

/** Gradients before clipping and weights after the update, by parameter, of what trains. */
export interface StepHistograms {
  /** Steps done, this one included. */
  readonly step: number;
  readonly gradients: Readonly<Record<string, Histogram>>;
  readonly weights: Readonly<Record<string, Histogram>>;
}

/** What tells others of a run while it goes on. */
export interface Tracker {
  /**
   * Told of every event, in order, the next one when this has settled. The run does not wait. What it throws is a
   * warning, and the tracker is told of the next event all the same.
   */
  record(event: RunEvent): Promise<void> | void;
  /** Told between events where the factory's `histogramsEverySteps` asked for it. */
  histograms?(histograms: StepHistograms): Promise<void> | void;
  /** The last call: the run is over, or failed. */
  close?(): Promise<void> | void;
}

/** What a tracker is made with. */
export interface TrackerMaking {
  readonly facts: RunFacts;
  /** The tracker's own folder in the run folder; it may not be there yet. */
  readonly folder: string;
  /**
   * Steps done when the run begins or goes on. What an earlier part of the run told of later steps is made again, with
   * the same numbers where nothing was changed.
   */
  readonly step: number;
  /** What it warns of is an event of the run too. */
  readonly logger: Logger;
}

/** What became of things that a tracker had written down because nobody took them. */
export interface SentLater {
  /** Sent now. */
  readonly sent: number;
  /** Still only written down. */
  readonly left: number;
  /** Why some are left. */
  readonly reason?: string;
}

/** A tracker that configs can name: `trackers: [{ type: ... }]`. */
export interface TrackerFactory<Schema extends z.ZodObject = z.ZodObject> {
  readonly type: string;
  /** One sentence, for help. */
  readonly summary: string;
  /** Strict; `type` with the literal, and options of its own. */
  readonly schema: Schema;
  /** Called on rank 0 when weights are loaded. What it throws is a warning: the run goes on without the tracker. */
  make(options: z.output<Schema>, making: TrackerMaking): Promise<Tracker> | Tracker;
  /** Steps between histograms of gradients and weights; undefined: none, and then they cost nothing. */
  histogramsEverySteps?(options: z.output<Schema>): number | undefined;
  /** Sends what is written down in the tracker's folder: `thaw track`. Absent where nothing waits to be sent. */
  send?(options: z.output<Schema>, making: Pick<TrackerMaking, "folder" | "logger">): Promise<SentLater>;
}

/** Types a factory; returns what it is given. */
export function defineTracker<Schema extends z.ZodObject>(factory: TrackerFactory<Schema>): TrackerFactory<Schema> {
  return factory;
}

declare module "@thaw/contracts" {
  interface Provides {
    readonly trackers?: readonly TrackerFactory[];
  }
}
