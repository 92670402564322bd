import {
  append,
  type ComponentDeclaration,
  type Finding,
  nearestNames,
  ownerByPrefix,
  type ParameterInfo,
  type Plan,
  type PlanEntry,
  type PlanPhase,
  type Setting,
} from "@thaw/core";
import { collectSettings, type FreezeSettings } from "../intent/collect.js";
import { decideComponent, type Verdict } from "./decide.js";
import type { Intent } from "../intent/intent.js";
import { checkNames } from "../intent/known-components.js";
import { adapterWithoutPlugin } from "../rules/adapter-without-plugin.js";
import { nothingTrains } from "../rules/nothing-trains.js";
import { segmentUnknown } from "../rules/selector-matches-nothing.js";
import { schedulePositionUnknown } from "../rules/schedule-position-unknown.js";
import { tiedParametersSplit } from "../rules/tied-parameters-split.js";
import { selectNames } from "../selecting/select.js";
import { timelineOf, type Timeline } from "./timeline.js";
import { BASE_COMPONENTS, FLAG_OF_COMPONENT, thawVocabulary, type Vocabulary } from "../intent/vocabulary.js";

/** What the policy is compiled from; pure data. */
export interface PolicyInput {
  /** Settings of the run; those that the vocabulary does not read are ignored. */
  readonly settings: readonly Setting[];
  readonly components: readonly ComponentDeclaration[];
  /** Absent where no checkpoint is there: then selectors are not checked and the plan is empty. */
  readonly parameters?: readonly ParameterInfo[];
  /** Names of the model's buffers, for selectors that mean them: nothing trains a buffer. */
  readonly buffers?: readonly string[];
  /** True where the parameters are stand-ins for those of a checkpoint that is not there: selectors are not checked. */
  readonly isPlaceholder?: boolean;
  /** True where adapters are another tool's: none is missed in the parameters. */
  readonly hasAdapters?: boolean;
  /** Parameter to component. Default: by longest prefix of `components`. */
  readonly owners?: ReadonlyMap<string, string>;
  readonly stepsPerEpoch?: number;
  /** True if a plugin claims to write `adapters`: then it says itself why it made none. */
  readonly makesAdapters?: boolean;
  /** Names of the model's segments, for `stopGradientAfter`; absent: not checked. */
  readonly segments?: readonly string[];
  /** Default: Thaw's own words under `freeze`. */
  readonly vocabulary?: Vocabulary;
}

export type ComponentState = "frozen" | "train" | "partial" | "adapter" | "undecided";

/** The decision on one component, with its provenance. */
export interface ComponentDecision extends Omit<Verdict, "intent" | "entry"> {
  readonly state: ComponentState;
  readonly intent?: Intent;
  readonly timeline?: Timeline;
}

export interface CompiledPolicy {
  readonly decisions: readonly ComponentDecision[];
  /** Parameters of undecided components, and those without owner, have no entry. */
  readonly plan: Plan;
  readonly findings: readonly Finding[];
  readonly freeze: FreezeSettings;
  readonly vocabulary: Vocabulary;
}

/**
 * Turns freeze settings into decisions per component and per parameter, and reports every contradiction in one go.
 * Pure.
 */
export function compilePolicy(input: PolicyInput): CompiledPolicy {
  const vocabulary = input.vocabulary ?? thawVocabulary(input.settings);
  const freeze = collectSettings(input.settings, vocabulary);
  const findings = new Set<Finding>();
  const report = (finding: Finding) => void findings.add(finding);
  for (const { finding } of freeze.clashes.values())
    if (finding.settings.some(({ origin }) => origin === "explicit")) report(finding);
  const names = namesByComponent(input);
  const components = componentNames(input, names, freeze);
  const isKnown = input.parameters !== undefined && input.isPlaceholder !== true;
  checkNames(freeze, components, isKnown, vocabulary, report);
  const selections = new Map<string, Selection>();
  const decisions = components.map((component): ComponentDecision => {
    const { intent, entry, ...verdict } = decideComponent(component, { freeze, components, vocabulary }, report);
    if (intent === undefined) return { ...verdict, state: "undecided" };
    const timeline = timelineOf(intent, input.stepsPerEpoch);
    if (timeline.isUnplaced) report(schedulePositionUnknown(component, verdict.settings[0]!));
    let selected: ReadonlySet<string> | undefined;
    if (isKnown && intent.kind === "partial") {
      const others = new Map([...names].filter(([other]) => other !== component));
      selected = selectNames(entry!, names.get(component) ?? [], { others, buffers: input.buffers ?? [] }, report);
      if (selected === undefined) return { ...verdict, state: "undecided" };
    }
    if (
      isKnown &&
      intent.kind === "adapter" &&
      input.hasAdapters !== true &&
      !input.parameters!.some((parameter) => parameter.component === component)
    ) {
      if (input.makesAdapters !== true) report(adapterWithoutPlugin(component, verdict.settings[0]!, vocabulary));
      return { ...verdict, state: "undecided" };
    }
    selections.set(component, { intent, timeline, selected });
    return { ...verdict, intent, timeline, state: intent.kind };
  });
  const split = reportSplits(input, selections, decisions, report);
  const decided = decisions.map((decision) =>
    split.has(decision.component) ? { ...decision, state: "undecided" as const } : decision,
  );
  const stops = stoppedSegments(freeze, input.segments, report);
  const plan = {
    phases: phasesOf(input, selections, split, decided).map((phase) =>
      stops.length === 0 ? phase : { ...phase, stopGradientAfter: stops },
    ),
  };
  const empty = findNothingTrains(decided, vocabulary);
  if (empty !== undefined) report(empty);
  return { decisions: decided, plan, findings: [...findings], freeze, vocabulary };
}

/**
 * The `nothing-trains` finding for these decisions: for the whole run, or for a stretch of it. Undefined if something
 * always trains.
 */
export function findNothingTrains(
  decisions: readonly ComponentDecision[],
  vocabulary: Vocabulary,
): Finding | undefined {
  if (decisions.length === 0 || decisions.some(({ state }) => state === "undecided")) return undefined;
  const edges = [0, ...new Set(decisions.flatMap(({ timeline }) => timeline?.edges ?? []))].sort(
    (left, right) => left - right,
  );
  const isEmpty = (step: number) =>
    decisions.every(({ state, timeline }) => state === "frozen" || timeline?.isActive(step) === false);
  const from = edges.find(isEmpty);
  if (from === undefined) return undefined;
  const until = edges.find((edge) => edge > from && !isEmpty(edge));
  const frozenBy = new Map(decisions.map(({ component, settings }) => [component, settings[0]]));
  return nothingTrains(frozenBy, vocabulary, from === 0 && until === undefined ? undefined : { from, until });
}

/** The segments of `stopGradientAfter` that exist; the others are reported. */
function stoppedSegments(
  freeze: FreezeSettings,
  segments: readonly string[] | undefined,
  report: (finding: Finding) => void,
): readonly string[] {
  const given = freeze.stopGradientAfter;
  if (given === undefined) return [];
  const unknown = segments === undefined ? [] : given.value.filter((name) => !segments.includes(name));
  for (const name of unknown)
    report(segmentUnknown({ ...given.setting, value: given.value }, name, nearestNames(name, segments!)));
  return given.value.filter((name) => !unknown.includes(name));
}

interface Selection {
  readonly intent: Intent;
  readonly timeline: Timeline;
  /** Of a partial component; absent where its parameters are not known. */
  readonly selected?: ReadonlySet<string>;
}

function isTrainable(name: string, added: boolean, { intent, timeline, selected }: Selection, step: number): boolean {
  if (!timeline.isActive(step)) return false;
  if (intent.kind === "partial") return selected === undefined || selected.has(name);
  return intent.kind === "train" || (intent.kind === "adapter" && added);
}

function namesByComponent(input: PolicyInput): ReadonlyMap<string, readonly string[]> {
  const names = new Map<string, string[]>();
  for (const parameter of input.parameters ?? []) {
    for (const name of [parameter.name, ...(parameter.tiedNames ?? [])]) {
      const owner = ownerOf(input, parameter, name);
      if (owner !== undefined) append(names, owner, name);
    }
  }
  return names;
}

function ownerOf(input: PolicyInput, parameter: ParameterInfo, name: string): string | undefined {
  const primary =
    input.owners === undefined
      ? (parameter.component ?? ownerByPrefix(parameter.name, input.components))
      : input.owners.get(parameter.name);
  if (name === parameter.name) return primary;
  return input.owners?.get(name) ?? ownerByPrefix(name, input.components) ?? primary;
}

/** In the order of declaration; without a checkpoint the base components and whatever a flag or an entry names. */
function componentNames(
  input: PolicyInput,
  names: ReadonlyMap<string, readonly string[]>,
  freeze: FreezeSettings,
): readonly string[] {
  const declared = [...new Set(input.components.map(({ name }) => name))];
  if (input.parameters !== undefined)
    return [
      ...declared.filter((name) => names.has(name)),
      ...[...names.keys()].filter((name) => !declared.includes(name)),
    ];
  const flagged = Object.keys(FLAG_OF_COMPONENT).filter((component) => freeze.flags.has(FLAG_OF_COMPONENT[component]!));
  return declared.length > 0 ? declared : [...new Set([...BASE_COMPONENTS, ...flagged, ...freeze.entries.keys()])];
}

/** Components that a split of tied names leaves undecided. */
function reportSplits(
  input: PolicyInput,
  selections: ReadonlyMap<string, Selection>,
  decisions: readonly ComponentDecision[],
  report: (finding: Finding) => void,
): ReadonlySet<string> {
  const split = new Set<string>();
  const steps = [0, ...[...selections.values()].flatMap(({ timeline }) => timeline.edges)];
  for (const parameter of input.parameters ?? []) {
    if ((parameter.tiedNames ?? []).length === 0) continue;
    const owned = [parameter.name, ...parameter.tiedNames!].map((name) => ({
      name,
      component: ownerOf(input, parameter, name) ?? "",
    }));
    if (owned.some(({ component }) => !selections.has(component))) continue;
    for (const step of steps) {
      const trains = ({ name, component }: { name: string; component: string }) =>
        isTrainable(name, false, selections.get(component)!, step);
      const trained = owned.filter(trains);
      if (trained.length === 0 || trained.length === owned.length) continue;
      const involved = new Set(owned.map(({ component }) => component));
      const settings = decisions
        .filter(({ component }) => involved.has(component))
        .map((decision) => decision.settings[0]!);
      report(
        tiedParametersSplit(
          trained.map(({ name }) => name),
          owned.filter((one) => !trains(one)).map(({ name }) => name),
          settings,
        ),
      );
      for (const component of involved) split.add(component);
      break;
    }
  }
  return split;
}

function phasesOf(
  input: PolicyInput,
  selections: ReadonlyMap<string, Selection>,
  split: ReadonlySet<string>,
  decisions: readonly ComponentDecision[],
): readonly PlanPhase[] {
  const decisionOf = new Map(decisions.map((decision) => [decision.component, decision]));
  const edges = [0, ...new Set([...selections.values()].flatMap(({ timeline }) => timeline.edges))].sort(
    (left, right) => left - right,
  );
  return edges.map((fromStep) => ({
    fromStep,
    entries: (input.parameters ?? []).flatMap((parameter): readonly PlanEntry[] => {
      const component = ownerOf(input, parameter, parameter.name);
      const selection = selections.get(component ?? "");
      if (component === undefined || selection === undefined || split.has(component)) return [];
      const trainable = isTrainable(parameter.name, parameter.component !== undefined, selection, fromStep);
      const decision = decisionOf.get(component)!;
      return [
        {
          name: parameter.name,
          component,
          trainable,
          group: component,
          reason: { text: reasonText(decision, selection, trainable, fromStep), settings: decision.settings },
          ...(!trainable && isAdapted(selection, fromStep) ? { isAdapted: true } : {}),
        },
      ];
    }),
  }));
}

function isAdapted({ intent, timeline }: Selection, step: number): boolean {
  return intent.kind === "adapter" && timeline.isActive(step);
}

function reasonText(
  decision: ComponentDecision,
  { intent, timeline }: Selection,
  trainable: boolean,
  step: number,
): string {
  if (intent.kind === "frozen" || (trainable && timeline.edges.length === 0)) return decision.reason;
  if (!timeline.isActive(step)) return `frozen at step ${step}: ${decision.reason}`;
  return trainable || intent.kind === "adapter" ? decision.reason : `frozen, not selected: ${decision.reason}`;
}
