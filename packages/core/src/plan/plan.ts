import {
  nameList,
  type Finding,
  type Model,
  type ParameterInfo,
  type Plan,
  type PlanEntry,
  type PlanPhase,
} from "@thaw/contracts";
import { createHash } from "node:crypto";

/** The plan before any plugin speaks: one phase in which every owned parameter trains. */
export function defaultPlan(parameters: readonly ParameterInfo[], owners: ReadonlyMap<string, string>): Plan {
  const entries = parameters.flatMap(({ name }): PlanEntry[] => {
    const component = owners.get(name);
    if (component === undefined) return [];
    return [
      { name, component, trainable: true, group: component, reason: { text: "nothing freezes it", settings: [] } },
    ];
  });
  return deepFreeze({ phases: [{ fromStep: 0, entries }] });
}

/** Freezes the plan and everything in it, so that a later write throws in the plugin that tries it. */
export function deepFreeze<T>(value: T): T {
  if (typeof value !== "object" || value === null || Object.isFrozen(value) || ArrayBuffer.isView(value)) return value;
  Object.freeze(value);
  for (const child of Object.values(value)) deepFreeze(child);
  return value;
}

/** The phase that holds at a step: the last whose `fromStep` is not later. */
export function phaseAt(plan: Plan, step: number): PlanPhase {
  return plan.phases.findLast(({ fromStep }) => fromStep <= step) ?? plan.phases[0]!;
}

/** Names that train in a phase. */
export function trainedNames(phase: PlanPhase): ReadonlySet<string> {
  return new Set(phase.entries.filter(({ trainable }) => trainable).map(({ name }) => name));
}

/** Names that train in one of these phases at least. */
export function everTrained(phases: readonly PlanPhase[]): ReadonlySet<string> {
  return new Set(phases.flatMap((phase) => [...trainedNames(phase)]));
}

/**
 * sha256 (hex) of what the plan does: phases, names, components, states, groups, stops. Reasons and order of entries do
 * not count.
 */
export function hashPlan(plan: Plan): string {
  const hash = createHash("sha256");
  for (const { fromStep, entries, stopGradientAfter } of plan.phases) {
    hash.update(`phase ${fromStep}\n`);
    if (stopGradientAfter !== undefined && stopGradientAfter.length > 0)
      hash.update(`stop ${JSON.stringify(stopGradientAfter.toSorted())}\n`);
    const rows = entries.map(({ name, component, trainable, group }) =>
      JSON.stringify([name, component, trainable, group]),
    );
    hash.update(rows.toSorted().join("\n"));
    hash.update("\n");
  }
  return hash.digest("hex");
}

/**
 * What keeps a plan from being one, under the rule `plan-incomplete`: phases out of order, unknown or repeated names,
 * an owner that is not the owner, buffers, stops at unknown segments. No severity setting turns these off.
 */
export function checkPlan(
  plan: Plan,
  parameters: readonly ParameterInfo[],
  owners: ReadonlyMap<string, string>,
  { segments, buffers = [] }: Pick<Model, "segments" | "buffers">,
): readonly Finding[] {
  const known = {
    parameters: new Set(parameters.map(({ name }) => name)),
    buffers: new Set(buffers.map(({ name }) => name)),
    segments: new Set(segments.map(({ name }) => name)),
  };
  return [...checkPhaseOrder(plan), ...plan.phases.flatMap((phase) => checkPhase(phase, known, owners))];
}

/** Owned parameters that a phase does not decide. A tap leaves them so after it reported why. */
export function undecidedFindings(plan: Plan, owners: ReadonlyMap<string, string>): readonly Finding[] {
  return plan.phases.flatMap((phase) => {
    const decided = new Set(phase.entries.map(({ name }) => name));
    const undecided = [...owners.keys()].filter((name) => !decided.has(name));
    if (undecided.length === 0) return [];
    const components = [...new Set(undecided.map((name) => owners.get(name)!))];
    return [
      finding(
        `The plan leaves ${nameList(components)} undecided${since(phase)}: ${nameList(undecided)}.`,
        "Resolve the findings about it, or decide it in the plan hook.",
      ),
    ];
  });
}

function checkPhaseOrder(plan: Plan): readonly Finding[] {
  const starts = plan.phases.map(({ fromStep }) => fromStep);
  const isOrdered =
    starts[0] === 0 &&
    starts.every((start, index) => Number.isInteger(start) && (index === 0 || start > starts[index - 1]!));
  if (isOrdered) return [];
  return [
    finding(
      `The plan's phases start at steps ${starts.join(", ") || "(none)"}.`,
      "Start the first phase at 0 and each next one at a later whole step.",
    ),
  ];
}

function checkPhase(
  phase: PlanPhase,
  known: Record<"parameters" | "buffers" | "segments", ReadonlySet<string>>,
  owners: ReadonlyMap<string, string>,
): readonly Finding[] {
  const decided = new Set<string>();
  const twice = phase.entries.filter(({ name }) => isRepeated(decided, name)).map(({ name }) => name);
  const buffers = phase.entries.filter(({ name }) => known.buffers.has(name)).map(({ name }) => name);
  const unknown = phase.entries
    .filter(({ name }) => !known.parameters.has(name) && !known.buffers.has(name))
    .map(({ name }) => name);
  const moved = phase.entries
    .filter(({ name, component }) => owners.has(name) && owners.get(name) !== component)
    .map(({ name }) => name);
  const stops = (phase.stopGradientAfter ?? []).filter((name) => !known.segments.has(name));
  const problems: [readonly string[], string, string][] = [
    [twice, `The plan lists ${nameList(twice)} twice${since(phase)}.`, "Keep one entry per parameter."],
    [
      buffers,
      `The plan lists ${nameList(buffers)}${since(phase)}: buffers, which the model stores and nothing trains.`,
      "Take the parameters from context.parameters.",
    ],
    [
      unknown,
      `The plan lists ${nameList(unknown)}${since(phase)}, which the model does not have.`,
      "Add the parameter in the parameters hook, or correct its name.",
    ],
    [
      moved,
      `The plan gives ${nameList(moved)} to another component${since(phase)} than the one that owns it.`,
      "Take the component from context.owners.",
    ],
    [
      stops,
      `The plan stops gradients after ${nameList(stops)}${since(phase)}, which are not segments of this model.`,
      `Segments are: ${nameList([...known.segments], 12)}.`,
    ],
  ];
  return problems.filter(([names]) => names.length > 0).map(([, message, fix]) => finding(message, fix));
}

function isRepeated(seen: Set<string>, name: string): boolean {
  if (seen.has(name)) return true;
  seen.add(name);
  return false;
}

function since({ fromStep }: PlanPhase): string {
  return fromStep === 0 ? "" : ` from step ${fromStep} on`;
}

function finding(message: string, fix: string): Finding {
  return { rule: "plan-incomplete", severity: "error", message, fix, settings: [] };
}
