import type { Finding, RuleInfo, Setting } from "@thaw/core";
import { describeSetting, listed, quotedWithPlace } from "../deciding/describe.js";
import { finding } from "./finding.js";

export const ALIASES_DISAGREE: RuleInfo = {
  id: "aliases-disagree",
  defaultSeverity: "error",
  summary: "Two spellings of one key are both given, with different values.",
  docs: `\`freezeLlm\` is a spelling of \`freezeLanguageModel\`, and every key exists in camel case and in snake case.
Two spellings of one key in one config must agree: Thaw does not guess which of the two was meant.

\`\`\`yaml config expects=aliases-disagree
freeze:
  train_mm_proj_only: true
  freeze_llm: false
  freeze_language_model: true
\`\`\`

Keep one of them:

\`\`\`yaml config expects=none
freeze:
  freeze_multi_modal_projector: false
  freeze_language_model: true
\`\`\`
`,
};

/** `key`: the spelling to keep, in the style of the file. */
export function aliasesDisagree(settings: readonly Setting[], key: string): Finding {
  return finding(ALIASES_DISAGREE, {
    message:
      `${listed(settings.map((setting) => `\`${describeSetting(setting)}\``))} are spellings of one key, ${key}, ` +
      "with different values.",
    fix: `Remove all but one: ${listed(settings.map(quotedWithPlace), "or")}.`,
    settings,
  });
}
