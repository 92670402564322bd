import {
  API_VERSION,
  definePlugin,
  type ComponentRequest,
  type Finding,
  type ParameterGroup,
  type Plugin,
  type RuleContext,
  type Setting,
  type TrainerApi,
} from "@thaw/core";
import { freezeSchema, type FreezePolicyOptions, type ResolvedFreezePolicyOptions } from "./options.js";
import { compilePolicy, findNothingTrains, type CompiledPolicy } from "./deciding/policy.js";
import { FREEZE_RULES } from "./rules/index.js";
import { NOTHING_TRAINS, nothingTrains } from "./rules/nothing-trains.js";
import { thawVocabulary, type Vocabulary } from "./intent/vocabulary.js";

const PLUGIN_NAME = "FreezePolicyPlugin";

/** What a plugin that makes adapters claims to write. */
const ADAPTERS = "adapters";

/** Compiled policy of each trainer that planned. */
const compiled = new WeakMap<TrainerApi, CompiledPolicy>();

/**
 * Turns freeze settings into the trainability plan. By program: `freezePolicy({ trainMmProjOnly: true })`.
 * A user's error becomes a finding and leaves the component without plan entries.
 */
export const freezePolicy = definePlugin<FreezePolicyOptions, ResolvedFreezePolicyOptions>({
  name: PLUGIN_NAME,
  apiVersion: API_VERSION,
  configKey: "freeze",
  optionsSchema: freezeSchema,
  claims: { reads: ["parameters"], writes: ["requests", "plan", "parameterGroups"] },
  apply: (trainer, _options, settings) => tap(trainer, settings),
});

/**
 * The same for the settings of another tool's config: what they mean is in `Setting.means`, and findings are in the
 * words of `vocabulary`. Adapters are asked for, and left to that tool.
 */
export function foreignFreezePolicy(settings: readonly Setting[], vocabulary: Vocabulary): Plugin {
  return { ...freezePolicy({}, settings), apply: (trainer) => tap(trainer, settings, vocabulary) };
}

function tap(trainer: TrainerApi, settings: readonly Setting[], foreign?: Vocabulary): void {
  trainer.hooks.requests.tap(PLUGIN_NAME, (collector, context) => {
    const vocabulary = foreign ?? thawVocabulary([...settings, ...context.settings]);
    for (const request of adapterRequests(
      compilePolicy({ settings, components: context.model.components, vocabulary }),
    ))
      collector.add(request);
  });
  trainer.hooks.plan.tap(PLUGIN_NAME, (_plan, context) => {
    const policy = compilePolicy({
      settings,
      components: context.components,
      parameters: context.parameters,
      owners: context.owners,
      buffers: context.model.buffers?.map(({ name }) => name),
      isPlaceholder: context.model.isPlaceholder,
      hasAdapters: foreign !== undefined,
      makesAdapters: [...context.claims.values()].some(({ writes }) => writes?.includes(ADAPTERS) === true),
      stepsPerEpoch: context.stepsPerEpoch,
      segments: context.model.segments.length === 0 ? undefined : context.model.segments.map(({ name }) => name),
      vocabulary: foreign ?? thawVocabulary([...settings, ...context.settings]),
    });
    compiled.set(trainer, policy);
    for (const finding of policy.findings) if (finding.rule !== NOTHING_TRAINS.id) context.report(finding);
    return policy.plan;
  });
  trainer.hooks.parameterGroups.tap(PLUGIN_NAME, (groups) =>
    groups.map((group) => scheduled(group, compiled.get(trainer))),
  );
  trainer.hooks.rules.tap(PLUGIN_NAME, (collector) => {
    for (const rule of FREEZE_RULES) {
      collector.add(
        rule === NOTHING_TRAINS ? { ...rule, check: (context) => emptyPlan(context, compiled.get(trainer)) } : rule,
      );
    }
  });
}

/** The policy that a trainer's plan was compiled from, after its `plan` hook ran; for `thaw why`. */
export function compiledPolicyOf(trainer: TrainerApi): CompiledPolicy | undefined {
  return compiled.get(trainer);
}

/**
 * What `lora` entries ask the plugin for that makes adapters. A component that another setting freezes, or that is
 * undecided, asks for nothing.
 */
function adapterRequests({ decisions }: CompiledPolicy): readonly ComponentRequest[] {
  return decisions.flatMap(({ component, intent, settings }) =>
    intent?.lora === undefined ? [] : [{ kind: "lora", component, options: { ...intent.lora }, settings }],
  );
}

/** A component with its own warm-up counts its schedule from the step at which it starts to train. */
function scheduled(group: ParameterGroup, policy: CompiledPolicy | undefined): ParameterGroup {
  const decision = policy?.decisions.find(({ component }) => component === group.name);
  const warmupSteps = decision?.intent?.warmupSteps;
  if (decision?.timeline === undefined || warmupSteps === undefined) return group;
  return { ...group, fromStep: decision.timeline.unfreezeStep ?? 0, schedule: { ...group.schedule, warmupSteps } };
}

/** Judged on the final plan, as other plugins may have changed it after the policy. */
function emptyPlan(context: RuleContext, policy: CompiledPolicy | undefined): readonly Finding[] {
  const isEmpty = ({ entries }: RuleContext["plan"]["phases"][number]) => !entries.some(({ trainable }) => trainable);
  // An adapter whose parameters are not in the plan (another tool's, or of a checkpoint that is not there) trains all
  // the same.
  if (
    policy?.decisions.some(({ state }) => state === "adapter") === true &&
    !context.parameters.some(({ component }) => component !== undefined)
  )
    return [];
  const isDecided = context.plan.phases.every(({ entries }) => entries.length >= context.owners.size);
  if (!isDecided || !context.plan.phases.some(isEmpty)) return [];
  const found = policy === undefined ? undefined : findNothingTrains(policy.decisions, policy.vocabulary);
  if (found !== undefined) return [found];
  const components = new Set(context.owners.values());
  return [
    nothingTrains(
      new Map([...components].map((component) => [component, undefined])),
      policy?.vocabulary ?? thawVocabulary(context.settings),
    ),
  ];
}
