import type { Finding, RuleInfo, Setting } from "@thaw/core";
import { componentText, listed, quotedWithPlace } from "../deciding/describe.js";
import { FLAG_OF_COMPONENT, SHORTCUT, SHORTCUT_COMPONENTS, type Vocabulary } from "../intent/vocabulary.js";
import { finding } from "./finding.js";

export const NOTHING_TRAINS: RuleInfo = {
  id: "nothing-trains",
  defaultSeverity: "error",
  summary: "Every component is frozen and there is no adapter.",
  docs: `The multimodal projector is frozen by default. Freezing the language model, which is what trains by default,
leaves nothing:

\`\`\`yaml config expects=nothing-trains
freeze:
  freeze_language_model: true
\`\`\`

To train the projector alone, use the shortcut:

\`\`\`yaml config expects=none
freeze:
  train_mm_proj_only: true
\`\`\`
`,
};

/**
 * `frozenBy`: the deciding setting per component, defaults included. `stretch`: steps without anything to train, where
 * not the whole run.
 */
export function nothingTrains(
  frozenBy: ReadonlyMap<string, Setting | undefined>,
  vocabulary: Vocabulary,
  stretch?: { readonly from: number; readonly until?: number },
): Finding {
  const settings = [...new Set([...frozenBy.values()].filter((setting) => setting !== undefined))];
  const reasons = [...frozenBy].map(([component, setting]) =>
    setting === undefined ? component : `${component} by ${quotedWithPlace(setting)}`,
  );
  return finding(NOTHING_TRAINS, {
    message:
      `Nothing trains${stretchText(stretch)}: every component is frozen (${listed(reasons)}), and there is no ` +
      "adapter.",
    fix:
      stretch === undefined
        ? advice(frozenBy, vocabulary)
        : "Move the steps of the schedules so that something trains at every step.",
    settings:
      settings.filter(({ origin }) => origin !== "default").length > 0
        ? settings.filter(({ origin }) => origin !== "default")
        : settings,
  });
}

function stretchText(stretch: { readonly from: number; readonly until?: number } | undefined): string {
  if (stretch === undefined) return "";
  return stretch.until === undefined
    ? ` from step ${stretch.from} on`
    : ` from step ${stretch.from} to step ${stretch.until - 1}`;
}

/** The shortcut where only a default holds the projector; else the setting that freezes something. */
function advice(frozenBy: ReadonlyMap<string, Setting | undefined>, vocabulary: Vocabulary): string {
  const first = SHORTCUT_COMPONENTS.find((component) => frozenBy.has(component));
  const projector = first === undefined ? undefined : frozenBy.get(first);
  if (first !== undefined && (projector === undefined || projector.origin === "default")) {
    const others = [...frozenBy]
      .filter(([component]) => !SHORTCUT_COMPONENTS.includes(component))
      .map(([, setting]) => setting?.value);
    const shortcut = others.includes("train") ? undefined : vocabulary.assign([SHORTCUT], true);
    const flag = shortcut ?? vocabulary.assign([FLAG_OF_COMPONENT[first]!], false);
    if (flag !== undefined) return `Add \`${flag}\` to train ${componentText(first)}.`;
  }
  const given = [...frozenBy].filter(([, by]) => by !== undefined && by.origin !== "default");
  const [component, setting] =
    given.find(([name]) => SHORTCUT_COMPONENTS.includes(name)) ?? given[0] ?? [...frozenBy][0] ?? [];
  if (component === undefined) return "Declare components that own the model's parameters.";
  const flag = FLAG_OF_COMPONENT[component];
  const trained =
    flag === undefined ? vocabulary.assign(["components", component], "train") : vocabulary.assign([flag], false);
  if (setting === undefined || setting.origin === "default")
    return `Train a component, for example with \`${trained ?? component}\`.`;
  return trained === undefined
    ? `Remove ${quotedWithPlace(setting)}.`
    : `Change ${quotedWithPlace(setting)}, for example to \`${trained}\`.`;
}
