import type { AfterStepContext } from "../api/contexts.js";
import type { RunState, RunTotals } from "../api/state.js";
import type { RunEvent } from "../stream/run-event.js";
import type { BestSummary, DeadGradient, FrozenProof, RunSummary } from "../api/summary.js";

/** What the parts of a run say in its summary. */
export interface SummaryParts {
  readonly totals: RunTotals;
  readonly frozenProof: readonly FrozenProof[];
  readonly deadGradients: readonly DeadGradient[];
  /** Latest metrics by evaluation name. */
  readonly evaluations: RunSummary["evaluations"];
  readonly best?: BestSummary;
  readonly lines: readonly string[];
  readonly numbers: Readonly<Record<string, number>>;
}

/**
 * A part of a run beside the steps themselves. A run has a list of them and calls each method in the order of the list;
 * `close` in the reverse one.
 */
export interface RunPart {
  /** Told of every event of the run, before plugins are. */
  record?(event: RunEvent): Promise<void> | void;
  /** Takes back what `state` gave, as a checkpoint has it. Weights and slots are restored. */
  restore?(state: RunState): Promise<void> | void;
  /** The run begins; its first phase holds, weights are those of its first step. */
  open?(): Promise<void> | void;
  /** A later phase is about to begin with this step, counted from 0. */
  enterPhase?(step: number): Promise<void> | void;
  /** After a step and its event, before it is asked whether to stop. */
  afterStep?(context: AfterStepContext): Promise<void> | void;
  /** What a checkpoint after `step` steps keeps of it. */
  state?(step: number): Partial<RunState>;
  /** What the summary says of it. */
  summary?(): Partial<SummaryParts>;
  /** Always, at the end. */
  close?(): Promise<void> | void;
}

/** What the parts of a run keep in a checkpoint, together. */
export function stateOf(parts: readonly RunPart[], step: number): Partial<RunState> {
  return Object.assign({}, ...parts.map((part) => part.state?.(step))) as Partial<RunState>;
}

/** What the parts of a run say in its summary, together: lines one below the other. */
export function summaryOf(parts: readonly RunPart[]): Omit<SummaryParts, "frozenProof"> {
  const said = parts.map((part) => part.summary?.() ?? {});
  return Object.assign({}, ...said, {
    lines: said.flatMap(({ lines = [] }) => lines),
    numbers: Object.assign({}, ...said.map(({ numbers }) => numbers)) as SummaryParts["numbers"],
  }) as SummaryParts;
}
