import type { Finding, RuleInfo, Setting } from "@thaw/core";
import { describeSetting, listed } from "../deciding/describe.js";
import { finding } from "./finding.js";

export const TIED_PARAMETERS_SPLIT: RuleInfo = {
  id: "tied-parameters-split",
  defaultSeverity: "error",
  summary: "Two names of one tied parameter would get different states.",
  docs: `Tied weights are one tensor under two names, \`lm_head.weight\` and the input embeddings for example. A
pattern that names one of them only would train and freeze the same tensor.

Name both, or none: \`match: [lm_head, embed_tokens]\`.
`,
};

/** `trained` and `frozen` are names of one parameter that the settings put in different states. */
export function tiedParametersSplit(
  trained: readonly string[],
  frozen: readonly string[],
  settings: readonly Setting[],
): Finding {
  const by = settings.length === 0 ? "" : ` by ${listed(settings.map((setting) => `\`${describeSetting(setting)}\``))}`;
  return finding(TIED_PARAMETERS_SPLIT, {
    message:
      `${listed(trained)} would train and ${listed(frozen)} would be frozen${by}, but they are tied: one parameter ` +
      "with several names.",
    fix: `Select all of these names or none of them: ${listed([...trained, ...frozen])}.`,
    settings,
  });
}
