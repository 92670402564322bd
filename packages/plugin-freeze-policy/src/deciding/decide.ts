import { toSnakeCase, type Finding, type Setting } from "@thaw/core";
import { originRank, type FreezeSettings } from "../intent/collect.js";
import { settingWithPlace } from "./describe.js";
import { trainsBase, type Entry, type Intent } from "../intent/intent.js";
import { adapterAndFull } from "../rules/adapter-and-full.js";
import { frozenAndTrained } from "../rules/frozen-and-trained.js";
import { adapterForFrozen } from "../rules/setting-for-frozen-component.js";
import { shortcutContradicts, shortcutRepeated } from "../rules/shortcut-contradicts-flag.js";
import {
  FLAG_DEFAULTS,
  FLAG_OF_COMPONENT,
  SHORTCUT,
  SHORTCUT_COMPONENTS,
  type Vocabulary,
} from "../intent/vocabulary.js";

/** What the settings say about one component, before any parameter is looked at. */
export interface Verdict {
  readonly component: string;
  /** Undefined: undecided, and a finding says why. */
  readonly intent?: Intent;
  readonly entry?: Entry;
  /** One sentence without a full stop, e.g. `frozen by freeze.freeze_llm: true (thaw.yaml:7)`. */
  readonly reason: string;
  /** The deciding setting first, then those that agree with it. */
  readonly settings: readonly Setting[];
  /** Settings of lower origin that would have said something about this component, defaults included. */
  readonly overridden: readonly Setting[];
}

/** What a decision needs beside the component. */
export interface DecisionContext {
  readonly freeze: FreezeSettings;
  /** All components of the model. */
  readonly components: readonly string[];
  readonly vocabulary: Vocabulary;
}

interface Proposal {
  readonly source: "entry" | "flag" | "shortcut";
  readonly setting: Setting;
  readonly intent: Intent;
  readonly overridden: readonly Setting[];
}

/**
 * Precedence, the one place where it is written: explicit > preset > default. Between different keys of the same origin
 * there is none: they agree, or the component stays undecided and a finding names both. The shortcut stands for one
 * proposal per component.
 */
export function decideComponent(
  component: string,
  { freeze, components, vocabulary }: DecisionContext,
  report: (finding: Finding) => void,
): Verdict {
  const projector = SHORTCUT_COMPONENTS.find((name) => components.includes(name)) ?? SHORTCUT_COMPONENTS[0]!;

  const proposals = proposalsFor(component, freeze);
  const best = Math.max(0, ...proposals.map(({ setting }) => originRank(setting)));
  const ranked = proposals.filter(({ setting }) => originRank(setting) === best);
  const lower = proposals.filter(({ setting }) => originRank(setting) < best);
  const fallback = defaultSetting(component, vocabulary);
  const keys = [SHORTCUT, FLAG_OF_COMPONENT[component] ?? "", `components.${toSnakeCase(component)}`];
  const clashes = keys.flatMap((key) => freeze.clashes.get(key) ?? []).filter(({ rank }) => rank >= best);
  for (const clash of clashes) report(clash.finding);
  let isDecided = clashes.length === 0;
  for (const [index, left] of ranked.entries()) {
    for (const right of ranked.slice(index + 1)) {
      const found = compare(component, left, right, { projector, vocabulary });
      if (found !== undefined) report(found);
      if (found?.severity === "error") isDecided = false;
    }
  }
  const entry = freeze.entries.get(toSnakeCase(component))?.value;
  if (entry?.mixesAdapter === true) {
    report(adapterAndFull(component, entry.setting, entry.setting));
    isDecided = false;
  }
  const overridden = [
    ...ranked.flatMap((proposal) => proposal.overridden),
    ...lower.flatMap((proposal) => [proposal.setting, ...proposal.overridden]),
  ];
  const winner = ranked[0];
  if (winner === undefined) {
    const intent: Intent = { kind: FLAG_DEFAULTS[FLAG_OF_COMPONENT[component] ?? ""] === false ? "train" : "frozen" };
    const reason = `${intent.kind === "train" ? "trained" : "frozen"} by default`;
    return {
      component,
      intent: isDecided ? intent : undefined,
      reason: isDecided ? reason : "undecided",
      settings: [fallback],
      overridden,
    };
  }
  if (winner.intent.kind === "frozen") {
    const lost = lower.find(({ intent }) => intent.kind === "adapter");
    if (lost !== undefined) report(adapterForFrozen(component, lost.setting, winner.setting, true));
  }
  const settings = [winner.setting, ...ranked.slice(1).map(({ setting }) => setting)];
  if (!isDecided) return { component, reason: "undecided: the settings contradict each other", settings, overridden };
  const replaced = overridden[0] === undefined ? "" : `, which overrides ${settingWithPlace(overridden[0])}`;
  const reason = `${intentText(winner.intent)} by ${settingWithPlace(winner.setting)}${replaced}`;
  return {
    component,
    intent: winner.intent,
    entry: winner.source === "entry" ? entry : undefined,
    reason,
    settings,
    overridden: [...overridden, fallback],
  };
}

/** `frozen`, `trained`, `last 2 blocks trained`, ... */
export function intentText(intent: Intent): string {
  const parts = [
    ...(intent.firstBlocks === undefined ? [] : [`first ${intent.firstBlocks} blocks`]),
    ...(intent.lastBlocks === undefined ? [] : [`last ${intent.lastBlocks} blocks`]),
    ...(intent.match === undefined ? [] : [`parameters matching ${intent.match.join(", ")}`]),
  ];
  const scheduled = intent.unfreezeAt === undefined && intent.freezeAt === undefined ? "" : " for a part of the run";
  if (intent.kind === "frozen") return "frozen";
  if (intent.kind === "adapter") return `adapter trained over a frozen base${scheduled}`;
  return `${parts.length === 0 ? "" : `${parts.join(", ")} `}trained${scheduled}`;
}

/** The default as a setting, spelt as the user's file is. */
function defaultSetting(component: string, vocabulary: Vocabulary): Setting {
  const flag = FLAG_OF_COMPONENT[component];
  const path = flag === undefined ? ["components", component] : [flag];
  return {
    path: vocabulary.write(path) ?? path.join("."),
    value: flag === undefined ? "frozen" : FLAG_DEFAULTS[flag],
    origin: "default",
  };
}

/** What each setting says about the component, most specific first. */
function proposalsFor(component: string, freeze: FreezeSettings): readonly Proposal[] {
  const proposals: Proposal[] = [];
  const entry = freeze.entries.get(toSnakeCase(component));
  if (entry !== undefined)
    proposals.push({
      source: "entry",
      intent: entry.value.intent,
      setting: entry.setting,
      overridden: entry.overridden,
    });
  const flag = freeze.flags.get(FLAG_OF_COMPONENT[component] ?? "");
  if (flag !== undefined)
    proposals.push({
      source: "flag",
      intent: { kind: flag.value ? "frozen" : "train" },
      setting: flag.setting,
      overridden: flag.overridden,
    });
  const { shortcut } = freeze;
  if (shortcut?.value === true) {
    const kind = SHORTCUT_COMPONENTS.includes(component) ? "train" : "frozen";
    proposals.push({
      source: "shortcut",
      intent: { kind },
      setting: shortcut.setting,
      overridden: shortcut.overridden,
    });
  }
  return proposals;
}

/**
 * Two proposals of the same origin: a contradiction, a repetition (note), or nothing to say. `left` is the more
 * specific one.
 */
function compare(
  component: string,
  left: Proposal,
  right: Proposal,
  { projector, vocabulary }: { readonly projector: string; readonly vocabulary: Vocabulary },
): Finding | undefined {
  const isShortcut = right.source === "shortcut";
  const wide = right.intent.kind;
  const { kind, unfreezeAt, freezeAt } = left.intent;
  if (kind === "adapter") {
    return wide === "frozen"
      ? adapterForFrozen(component, left.setting, right.setting)
      : adapterAndFull(component, left.setting, right.setting);
  }
  if ((wide === "frozen") === trainsBase(left.intent)) {
    if (isShortcut) return shortcutContradicts(right.setting, left.setting, component, projector, vocabulary);
    return wide === "frozen"
      ? frozenAndTrained(component, right.setting, left.setting)
      : frozenAndTrained(component, left.setting, right.setting);
  }
  const repeats =
    isShortcut &&
    kind !== "partial" &&
    unfreezeAt === undefined &&
    freezeAt === undefined &&
    right.setting.origin === "explicit";
  return repeats ? shortcutRepeated(right.setting, left.setting) : undefined;
}
