import type { Setting } from "./settings.js";

/** Data-flow class of a segment or component under a plan. */
export type GradientFlow = "prefix" | "through" | "trained";

/** Why a parameter is in its state. */
export interface PlanReason {
  readonly text: string;
  readonly settings: readonly Setting[];
}

/** One row of the trainability plan. Exactly one per parameter. */
export interface PlanEntry {
  readonly name: string;
  readonly component: string;
  readonly trainable: boolean;
  /** Optimizer group; the component's name unless changed. */
  readonly group: string;
  readonly reason: PlanReason;
  /** True for a frozen parameter whose component gets an adapter: it may cover the parameter, or not. */
  readonly isAdapted?: boolean;
}

/** Entries valid from `fromStep` (0 for the first phase). */
export interface PlanPhase {
  readonly fromStep: number;
  readonly entries: readonly PlanEntry[];
  /** Segments behind whose output no gradient flows back, whatever trains before them. */
  readonly stopGradientAfter?: readonly string[];
}

/** The trainability plan: fixed, printed and hashed at `planned`. */
export interface Plan {
  readonly phases: readonly PlanPhase[];
}
