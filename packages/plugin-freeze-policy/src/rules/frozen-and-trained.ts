import type { Finding, RuleInfo, Setting } from "@thaw/core";
import { componentText, describeSetting, quotedWithPlace } from "../deciding/describe.js";
import { finding } from "./finding.js";

export const FROZEN_AND_TRAINED: RuleInfo = {
  id: "frozen-and-trained",
  defaultSeverity: "error",
  summary: "One setting freezes a component and another one trains it; what plugins demand counts too.",
  docs: `A flag and the \`components\` entry of the same component rank the same. Between two explicit keys there is
no precedence: they agree, or it is an error.

\`\`\`yaml config expects=frozen-and-trained
freeze:
  freeze_vision_tower: true
  components:
    vision_tower: { match: [layers.1] }
\`\`\`

Keep the one that you mean:

\`\`\`yaml config expects=none
freeze:
  components:
    vision_tower: { match: [layers.1] }
\`\`\`

A plugin may demand a state as well: its \`claims.components\` says which component it needs frozen or trained. A plan
that says the opposite is this error, and it names the plugin.
`,
};

/** Two explicit settings of one component that cannot both hold. */
export function frozenAndTrained(component: string, frozenBy: Setting, trainedBy: Setting): Finding {
  return finding(FROZEN_AND_TRAINED, {
    message:
      `\`${describeSetting(frozenBy)}\` freezes ${componentText(component)}, and \`${describeSetting(trainedBy)}\` ` +
      "trains it.",
    fix: `Remove one of the two: ${quotedWithPlace(frozenBy)} or ${quotedWithPlace(trainedBy)}.`,
    settings: [frozenBy, trainedBy],
  });
}
