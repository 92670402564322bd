import {
  longestPrefix,
  nearestNames,
  phaseAt,
  trainedNames,
  type Finding,
  type ParameterInfo,
  type PlanResult,
  type Setting,
  type StoredTensor,
} from "@thaw/core";
import { matchesPattern, type CompiledPolicy } from "@thaw/plugin-freeze-policy";

/** Why one thing is as it is, as data. */
export interface Explanation {
  readonly kind: "component" | "parameter" | "buffer" | "setting";
  readonly name: string;
  /** One sentence. */
  readonly answer: string;
  /** What decided it, the deciding setting first. */
  readonly settings: readonly Setting[];
  /** What would have decided otherwise and was overridden. */
  readonly overridden: readonly Setting[];
  /** Facts for people, in order. */
  readonly facts: readonly (readonly [label: string, text: string])[];
  readonly findings: readonly Finding[];
}

/** What is known when a question is asked. */
export interface ExplainInput {
  readonly planned: PlanResult;
  readonly policy: CompiledPolicy;
  readonly settings: readonly Setting[];
  readonly replaced: readonly Setting[];
  readonly defaults: readonly Setting[];
  readonly findings: readonly Finding[];
}

/** How many parameters a pattern may name before only their number is said. */
const SHOWN = 5;

/**
 * Explains a component, a parameter or buffer (or those with a run of whole segments), or a setting; undefined where
 * there is no such thing.
 */
export function explain(target: string, input: ExplainInput): readonly Explanation[] | undefined {
  const component = input.policy.decisions.find((decision) => normal(decision.component) === normal(target));
  if (component !== undefined) return [explainComponent(component.component, input)];
  const settings = explainSetting(target, input);
  if (settings !== undefined) return [settings];
  const buffers = new Set(input.planned.model.buffers);
  const stored: readonly ParameterInfo[] = [...input.planned.parameters, ...buffers];
  const named = stored.filter(({ name, tiedNames = [] }) => [name, ...tiedNames].includes(target));
  const matched = named.length > 0 ? named : stored.filter(({ name }) => matchesPattern(name, target));
  if (matched.length === 0) return undefined;
  return matched
    .slice(0, SHOWN)
    .map((tensor) =>
      buffers.has(tensor)
        ? explainBuffer(tensor, matched.length, input)
        : explainParameter(tensor.name, matched.length, input),
    );
}

/** Names like the target: components, settings, parameters. */
export function nearestTargets(target: string, { policy, settings, planned }: ExplainInput): readonly string[] {
  return nearestNames(target, [
    ...policy.decisions.map(({ component }) => component),
    ...settings.map(({ path }) => path),
    ...planned.parameters.map(({ name }) => name),
    ...(planned.model.buffers ?? []).map(({ name }) => name),
  ]);
}

function explainComponent(name: string, input: ExplainInput): Explanation {
  const { planned, policy } = input;
  const decision = policy.decisions.find(({ component }) => component === name)!;
  const own = planned.parameters.filter((parameter) => planned.owners.get(parameter.name) === name);
  const trained = trainedNames(phaseAt(planned.plan, 0));
  const count = own.filter((parameter) => trained.has(parameter.name)).length;
  const group = planned.groups.find((one) => one.name === name);
  return {
    kind: "component",
    name,
    answer: `${name} is ${decision.reason}.`,
    settings: decision.settings,
    overridden: [...decision.overridden, ...replacedLike(decision.settings, input)],
    facts: [
      ["state", decision.state],
      ["parameters", `${count} of ${own.length} train at step 0`],
      ...(decision.timeline?.unfreezeStep === undefined
        ? []
        : [["trains from", `step ${decision.timeline.unfreezeStep}`] as const]),
      ...(decision.timeline?.freezeStep === undefined
        ? []
        : [["frozen from", `step ${decision.timeline.freezeStep}`] as const]),
      ...(group === undefined
        ? []
        : [
            [
              "learning rate",
              `${group.learningRate}, weight decay ${group.weightDecay}, ${group.schedule.type} schedule` +
                (group.layerDecay === undefined ? "" : `, times ${group.layerDecay} for each layer behind`),
            ] as const,
          ]),
    ],
    findings: input.findings.filter((finding) =>
      finding.settings.some((setting) => decision.settings.some((one) => isSame(one, setting))),
    ),
  };
}

function explainParameter(name: string, matchCount: number, input: ExplainInput): Explanation {
  const { planned, policy } = input;
  const entry = phaseAt(planned.plan, 0).entries.find((one) => one.name === name);
  const component = planned.owners.get(name);
  const parameter = planned.parameters.find((one) => one.name === name)!;
  const decision = policy.decisions.find((one) => one.component === component);
  const states = planned.plan.phases.map(
    ({ fromStep, entries }) =>
      `${entries.find((one) => one.name === name)?.trainable === true ? "trained" : "frozen"} from step ${fromStep}`,
  );
  const owner = planned.components.find((one) => one.name === component);
  const prefix = longestPrefix(name, owner?.prefixes ?? []);
  return {
    kind: "parameter",
    name,
    answer: entry === undefined ? `${name} is undecided.` : `${name} is ${entry.reason.text}.`,
    settings: entry?.reason.settings ?? decision?.settings ?? [],
    overridden: decision === undefined ? [] : [...decision.overridden, ...replacedLike(decision.settings, input)],
    facts: [
      [
        "owner",
        component === undefined ? "none" : `${component}${prefix === undefined ? "" : ` (by the prefix ${prefix})`}`,
      ],
      ["shape", `[${parameter.shape.join(", ")}], ${parameter.dtype}`],
      ...(parameter.tiedNames === undefined || parameter.tiedNames.length === 0
        ? []
        : [["tied with", parameter.tiedNames.join(", ")] as const]),
      ...(planned.plan.phases.length > 1 ? [["phases", states.join(", ")] as const] : []),
      ...(planned.model.deadParameters.includes(name)
        ? [["gradient", "none: no path leads from it to the loss"] as const]
        : []),
      ...matchesFact(matchCount),
    ],
    findings: input.findings.filter(({ message }) => message.includes(name)),
  };
}

function explainBuffer({ name, shape, dtype }: StoredTensor, matchCount: number, input: ExplainInput): Explanation {
  const users = input.planned.model.segments.filter(({ parameters }) => parameters.includes(name));
  return {
    kind: "buffer",
    name,
    answer: `${name} is a buffer: the model stores it and computes with it, and nothing trains or freezes it.`,
    settings: [],
    overridden: [],
    facts: [
      ["shape", `[${shape.join(", ")}], ${dtype}`],
      ...(users.length === 0 ? [] : [["used by", users.map((segment) => segment.name).join(", ")] as const]),
      ...matchesFact(matchCount),
    ],
    findings: input.findings.filter(({ message }) => message.includes(name)),
  };
}

function matchesFact(count: number): readonly (readonly [string, string])[] {
  return count > SHOWN ? [["matches", `${count} tensors, the first ${SHOWN} are shown`]] : [];
}

/** A setting by its path in any spelling; `freeze.` may be left out. */
function explainSetting(target: string, input: ExplainInput): Explanation | undefined {
  const paths = [normal(target), normal(`freeze.${target}`)];
  const isAsked = ({ path }: Setting): boolean =>
    paths.some((path_) => normal(path) === path_ || normal(path).startsWith(`${path_}.`));
  const own = input.settings.filter(isAsked);
  const given = own.length > 0 ? own : input.defaults.filter(isAsked);
  const freezeDefaults =
    given.length > 0
      ? []
      : input.policy.decisions
          .flatMap(({ settings, overridden }) => [...settings, ...overridden])
          .filter((setting) => setting.origin === "default" && isAsked(setting));
  const settings = [...given, ...freezeDefaults.slice(0, 1)];
  if (settings.length === 0) return undefined;
  const decides = input.policy.decisions.filter((decision) =>
    decision.settings.some((one) =>
      settings.some((setting) => isSame(one, setting) || normal(setting.path).startsWith(`${normal(one.path)}.`)),
    ),
  );
  const loses = input.policy.decisions.filter((decision) =>
    decision.overridden.some((one) => settings.some((setting) => isSame(one, setting))),
  );
  const first = settings[0]!;
  return {
    kind: "setting",
    name: settings.length === 1 ? first.path : target,
    answer: settings
      .map((setting) => `${setting.path} is ${JSON.stringify(setting.value)}, ${originText(setting)}.`)
      .join(" "),
    settings,
    overridden: input.replaced.filter(isAsked),
    facts: [
      ...decides.map((decision) => ["decides", `${decision.component}: ${decision.reason}`] as const),
      ...loses.map((decision) => ["is overridden for", `${decision.component}: ${decision.reason}`] as const),
    ],
    findings: input.findings.filter((finding) =>
      finding.settings.some((setting) => settings.some((one) => isSame(one, setting))),
    ),
  };
}

function originText({ origin, file, line }: Setting): string {
  if (origin === "default") return "its default";
  const place =
    file === undefined ? "on the command line or in code" : `in ${file}${line === undefined ? "" : `:${line}`}`;
  return origin === "preset" ? `from a preset, ${place}` : `given ${place}`;
}

function replacedLike(settings: readonly Setting[], { replaced }: ExplainInput): readonly Setting[] {
  return replaced.filter(({ path }) => settings.some((setting) => normal(setting.path) === normal(path)));
}

function isSame(left: Setting, right: Setting): boolean {
  return (
    left.path === right.path && left.file === right.file && left.line === right.line && left.origin === right.origin
  );
}

/** Spelling style and the alias aside. */
function normal(path: string): string {
  return path
    .toLowerCase()
    .replaceAll("_", "")
    .replace(/\bfreezellm\b/, "freezelanguagemodel");
}
