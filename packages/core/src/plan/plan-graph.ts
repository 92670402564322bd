import type { GradientFlow, Segment } from "@thaw/contracts";
import type { PlannedContext } from "../api/contexts.js";
import { isInside, outermost } from "../segments/segments.js";
import { classifyFlows } from "./flow.js";
import { phaseAt, trainedNames } from "./plan.js";
import { planMemory, planReport, type ComponentMemory, type ComponentReport } from "./plan-report.js";

/** A component in the order in which data flows through the model. */
export interface GraphComponent extends ComponentReport, ComponentMemory {
  /** Components whose outputs it reads. */
  readonly after: readonly string[];
  /** Inputs of samples that it reads itself: `pixelValues`. */
  readonly reads: readonly string[];
  /** Of `after`, those to which it passes a gradient back. */
  readonly gradientTo: readonly string[];
}

/** The model under a plan as a graph of its components, in data-flow order: what a picture of it shows. */
export function planGraph(planned: PlannedContext, step = 0): readonly GraphComponent[] {
  const { segments } = planned.model;
  const phase = phaseAt(planned.plan, step);
  const stopAfter = new Set(phase?.stopGradientAfter);
  const flows = phase === undefined ? new Map() : classifyFlows(segments, trainedNames(phase), stopAfter);
  const components = new Map(outermost(segments).map((segment) => [segment.name, componentsOf(planned, segment)]));
  const memory = planMemory(planned, step);
  const graph = planReport(planned, step).components.map((report): GraphComponent => {
    const own = segments.filter((segment) => componentsOf(planned, segment).includes(report.name));
    const after = new Set<string>();
    const gradientTo = new Set<string>();
    for (const segment of own)
      for (const before of segment.after)
        for (const name of components.get(outermostOf(before, components)) ?? []) {
          if (name === report.name) continue;
          after.add(name);
          if (wantsGradient(flows.get(before)) && !stopAfter.has(before)) gradientTo.add(name);
        }
    const reads = [...new Set(own.flatMap((segment) => segment.reads))];
    return { ...report, ...memory.get(report.name)!, after: [...after], reads, gradientTo: [...gradientTo] };
  });
  return inOrder(graph);
}

function componentsOf({ owners }: PlannedContext, { parameters }: Pick<Segment, "parameters">): readonly string[] {
  return [...new Set(parameters.flatMap((name) => owners.get(name) ?? []))];
}

function outermostOf(name: string, outer: ReadonlyMap<string, unknown>): string {
  return [...outer.keys()].find((candidate) => candidate === name || isInside(name, candidate)) ?? name;
}

function wantsGradient(flow: GradientFlow | undefined): boolean {
  return flow === "trained" || flow === "through";
}

/** Each after those that it reads; a circle, which a family should not have, stays as it is. */
function inOrder(graph: readonly GraphComponent[]): readonly GraphComponent[] {
  const placed = new Set<string>();
  const ordered: GraphComponent[] = [];
  let left = [...graph];
  while (left.length > 0) {
    const names = new Set(left.map(({ name }) => name));
    const ready = left.filter(({ after }) => after.every((name) => placed.has(name) || !names.has(name)));
    for (const component of ready.length > 0 ? ready : left) {
      placed.add(component.name);
      ordered.push(component);
    }
    left = left.filter(({ name }) => !placed.has(name));
  }
  return ordered;
}
