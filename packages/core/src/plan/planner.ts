import type { Claims, Finding, Plan, Setting } from "@thaw/contracts";
import type {
  ComponentRequest,
  ParameterGroup,
  PlannedContext,
  PlanningContext,
  RuleContext,
} from "../api/contexts.js";
import type { TrainerHooks } from "../api/hooks.js";
import type { ResolvedTrainingOptions } from "../api/options.js";
import type { TrainerOptions } from "../api/trainer-options.js";
import type { Registry } from "../provides/registry.js";
import { planOptimizer } from "../optimize/optimizer-plan.js";
import { withAddedParameters } from "./added-parameters.js";
import { classifyFlows } from "./flow.js";
import { checkFrozenForms } from "./frozen-forms.js";
import { checkComponentKeys, checkGroups, checkLayerDecay, defaultGroups } from "./groups.js";
import { layerDepths } from "../optimize/layer-depth.js";
import { resolveOwners } from "./owners.js";
import { checkPlan, deepFreeze, defaultPlan, hashPlan, phaseAt, trainedNames, undecidedFindings } from "./plan.js";
import { collectFindings } from "./rules.js";
import { runLength } from "./run-length.js";
import { checkStopRule } from "./stop-rule-check.js";

/** What the planner needs of a trainer. */
export interface PlannerInput {
  readonly hooks: TrainerHooks;
  readonly options: TrainerOptions;
  readonly training: ResolvedTrainingOptions;
  readonly settings: readonly Setting[];
  readonly claims: ReadonlyMap<string, Claims>;
  readonly registry: Registry;
  /** Judges the fixed plan where more is known than headers say: a checkpoint that was made under another plan. */
  readonly afterPlan: (plan: Plan, planHash: string) => readonly Finding[];
}

/**
 * From headers and settings to the fixed plan: `requests`, `parameters`, owners, `plan`, `parameterGroups`, rules and
 * findings, `planned`. Reads no weight, loads no backend. Errors of users come back as findings.
 */
export async function makePlan(input: PlannerInput): Promise<PlannedContext> {
  const { hooks, options, training, settings, claims } = input;
  const reported: Finding[] = [];
  const report = (finding: Finding): void => {
    reported.push(finding);
  };
  const requests: ComponentRequest[] = [];
  await hooks.requests.promise(
    {
      add: (request) => {
        requests.push(request);
      },
    },
    { model: options.model, settings, claims },
  );
  const parameters = Object.freeze([
    ...(await hooks.parameters.promise(options.model.parameters, { model: options.model, settings, requests, report })),
  ]);
  const model = withAddedParameters(options.model, parameters);
  const { owners, findings } = resolveOwners(parameters, model.components);
  reported.push(
    ...findings,
    ...checkComponentKeys(
      training,
      model.components.map(({ name }) => name),
      settings,
    ),
  );
  const planning: PlanningContext = Object.freeze({
    model,
    components: model.components,
    parameters,
    owners,
    settings,
    claims,
    training,
    ...runLength(options.data?.train, training, options.processes),
    report,
  });

  const plan = deepFreeze(await hooks.plan.promise(defaultPlan(parameters, owners), planning));
  const groups = planGroups(input, planning, plan);
  reported.push(...checkGroups(groups, plan), ...checkStopRule(options, training, settings));
  reported.push(...checkFrozenForms({ ...planning, plan }, settings));
  const { layered } = layerDepths({ segments: model.segments, parameters, owners });
  if (model.segments.length > 0) reported.push(...checkLayerDecay(training, { plan, layered, settings }));
  const planHash = hashPlan(plan);
  reported.push(...input.afterPlan(plan, planHash));

  const first = plan.phases.length === 0 ? undefined : phaseAt(plan, 0);
  const flows = classifyFlows(
    model.segments,
    first === undefined ? new Set() : trainedNames(first),
    new Set(first?.stopGradientAfter),
  );
  const optimizer = planOptimizer(training, input.registry.all("optimizers"), model, options.processes);
  const context: RuleContext = Object.freeze({
    ...planning,
    plan,
    requests,
    groups,
    optimizer,
    flows,
    sources: sourceFacts(options),
  });
  const planned: PlannedContext = Object.freeze({
    ...context,
    planHash,
    findings: Object.freeze(completeFindings(collectFindings(hooks, reported, context), plan, planning)),
  });
  await hooks.planned.promise(planned);
  return planned;
}

function planGroups(
  { hooks, training }: PlannerInput,
  planning: PlanningContext,
  plan: Plan,
): readonly ParameterGroup[] {
  return deepFreeze([
    ...hooks.parameterGroups.call(defaultGroups(plan, training), Object.freeze({ ...planning, plan })),
  ]);
}

/** Adds what no severity setting may hide; an undecided component only where no error says why it is so. */
function completeFindings(
  findings: readonly Finding[],
  plan: Plan,
  { model, parameters, owners }: PlanningContext,
): readonly Finding[] {
  const problems = checkPlan(plan, parameters, owners, model);
  const isExplained = [...findings, ...problems].some(({ severity }) => severity === "error");
  return [...findings, ...problems, ...(isExplained ? [] : undecidedFindings(plan, owners))];
}

function sourceFacts({ data }: TrainerOptions): RuleContext["sources"] {
  const sources = Object.entries({ ...(data?.train === undefined ? {} : { train: data.train }), ...data?.evaluation });
  return new Map(
    sources.map(([name, { augmentations, views, textOnlyShare, sampleCount }]) => [
      name,
      {
        augmentations,
        ...(views === undefined ? {} : { views }),
        ...(textOnlyShare === undefined ? {} : { textOnlyShare }),
        ...(Number.isNaN(sampleCount) ? {} : { sampleCount }),
      },
    ]),
  );
}
