import { FLOAT32_BYTES, elementCount, type GradientFlow, type ParameterInfo, type PlanEntry } from "@thaw/contracts";
import type { PlannedContext } from "../api/contexts.js";
import { classifyFlows, componentFlows } from "./flow.js";
import { keptBytes } from "./frozen-forms.js";
import { phaseAt, trainedNames } from "./plan.js";

/** The plan at one step as data: exactly what `thaw plan --json` prints. */
export interface PlanReport {
  readonly hash: string;
  readonly components: readonly ComponentReport[];
  readonly parameters: readonly {
    readonly name: string;
    readonly component: string;
    readonly trainable: boolean;
    readonly group: string;
    readonly reason: string;
  }[];
}

/** One component in a plan. */
export interface ComponentReport {
  readonly name: string;
  /**
   * `adapter`: what plugins added trains, all of the model's own parameters are frozen; `undecided` where an error left
   * it so.
   */
  readonly state: "frozen" | "train" | "partial" | "adapter" | "undecided";
  /** Of the component's innermost segments, each once, in data-flow order. */
  readonly flows: readonly GradientFlow[];
  /** Values, not tensors. */
  readonly parameterCount: number;
  readonly reason: string;
}

/** What a component needs beside activations. */
export interface ComponentMemory {
  readonly parameterCount: number;
  /** Parameters that train at the step. */
  readonly trainedCount: number;
  /** In the forms in which they are kept: what trains in float32, what is frozen maybe in fewer bits. */
  readonly parameterBytes: number;
  /** Gradients, and what the optimizer keeps, of what trains. */
  readonly trainedBytes: number;
}

/** The plan as it stands at a step. */
export function planReport(planned: PlannedContext, step = 0): PlanReport {
  const phase = phaseAt(planned.plan, step);
  const entries = phase?.entries ?? [];
  const flows =
    phase === undefined
      ? new Map<string, readonly GradientFlow[]>()
      : componentFlows(
          planned.model.segments,
          classifyFlows(planned.model.segments, trainedNames(phase), new Set(phase.stopGradientAfter)),
          planned.owners,
        );
  const modelOwn = new Set(planned.model.parameters.map(({ name }) => name));
  const components = planned.components.flatMap(({ name }): ComponentReport[] => {
    const owned = ownedParameters(planned, name);
    if (owned.length === 0) return [];
    const own = entries.filter(({ component }) => component === name);
    return [
      {
        name,
        state: stateOf(own, modelOwn),
        flows: flows.get(name) ?? [],
        parameterCount: countOf(owned),
        reason: reasonOf(own),
      },
    ];
  });
  const parameters = entries.map(({ name, component, trainable, group, reason }) => ({
    name,
    component,
    trainable,
    group,
    reason: reason.text,
  }));
  return { hash: planned.planHash, components, parameters };
}

/** Memory by component at a step, for the printed plan. */
export function planMemory(planned: PlannedContext, step = 0): ReadonlyMap<string, ComponentMemory> {
  const trained = trainedNames(phaseAt(planned.plan, step));
  const bytesOf = keptBytes(planned);
  return new Map(
    planned.components.map(({ name }) => {
      const owned = ownedParameters(planned, name);
      const parameterCount = countOf(owned);
      const training = owned.filter((parameter) => trained.has(parameter.name));
      const trainedCount = countOf(training);
      const parameterBytes = owned.reduce((sum, parameter) => sum + bytesOf(parameter), 0);
      const trainedBytes =
        FLOAT32_BYTES * trainedCount +
        training.reduce((sum, parameter) => sum + planned.optimizer.slotBytes(parameter), 0) / planned.optimizer.shares;
      return [name, { parameterCount, trainedCount, parameterBytes, trainedBytes }];
    }),
  );
}

function ownedParameters({ parameters, owners }: PlannedContext, component: string): readonly ParameterInfo[] {
  return parameters.filter(({ name }) => owners.get(name) === component);
}

function countOf(parameters: readonly ParameterInfo[]): number {
  return parameters.reduce((sum, { shape }) => sum + elementCount(shape), 0);
}

function stateOf(entries: readonly PlanEntry[], modelOwn: ReadonlySet<string>): ComponentReport["state"] {
  if (entries.length === 0) return "undecided";
  const trained = entries.filter(({ trainable }) => trainable);
  if (trained.length === 0 || trained.length === entries.length) return trained.length === 0 ? "frozen" : "train";
  return trained.some(({ name }) => modelOwn.has(name)) ? "partial" : "adapter";
}

function reasonOf(entries: readonly PlanEntry[]): string {
  return [...new Set(entries.map(({ reason }) => reason.text))].join("; ");
}
