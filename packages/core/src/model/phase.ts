import { innermost } from "../segments/segments.js";
import type { GradientFlow, Plan, PlanPhase, Segment } from "@thaw/contracts";
import type { ParameterGroup, PlannedContext } from "../api/contexts.js";
import { classifyFlows } from "../plan/flow.js";
import { phaseAt, trainedNames } from "../plan/plan.js";

/** A parameter group with the names of it that train. */
export interface PhaseGroup {
  readonly group: ParameterGroup;
  readonly names: readonly string[];
}

/** What a phase of the plan means for the run; derived anew at every phase edge. */
export interface Phase {
  readonly plan: PlanPhase;
  readonly trained: ReadonlySet<string>;
  readonly flows: ReadonlyMap<string, GradientFlow>;
  readonly stopAfter: ReadonlySet<string>;
  /** Trained names by group, for rates and clipping. */
  readonly groups: readonly PhaseGroup[];
}

/** The phase that holds at a step. */
export function derivePhase(planned: PlannedContext, step: number): Phase {
  const plan = phaseAt(planned.plan, step);
  const trained = trainedNames(plan);
  const stopAfter = new Set(plan.stopGradientAfter);
  const groups = planned.groups
    .map((group) => ({
      group,
      names: plan.entries.filter((entry) => entry.trainable && entry.group === group.name).map(({ name }) => name),
    }))
    .filter(({ names }) => names.length > 0);
  return { plan, trained, flows: classifyFlows(planned.model.segments, trained, stopAfter), stopAfter, groups };
}

/** True if a new phase starts at this step. */
export function isPhaseEdge(plan: Plan, step: number): boolean {
  return step > 0 && plan.phases.some(({ fromStep }) => fromStep === step);
}

/**
 * Repeated blocks, which are what activation checkpointing recomputes: segments without segments inside whose name ends
 * in a number, as far as a gradient passes through them.
 */
export function checkpointableSegments(
  segments: readonly Segment[],
  flows: ReadonlyMap<string, GradientFlow>,
): ReadonlySet<string> {
  const names = innermost(segments).map(({ name }) => name);
  return new Set(names.filter((name) => /(^|\.)\d+$/.test(name) && flows.get(name) !== "prefix"));
}
