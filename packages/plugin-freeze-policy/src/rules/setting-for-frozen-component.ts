import type { Finding, RuleInfo, Setting } from "@thaw/core";
import { componentText, describeSetting, quotedWithPlace } from "../deciding/describe.js";
import { finding } from "./finding.js";

export const SETTING_FOR_FROZEN_COMPONENT: RuleInfo = {
  id: "setting-for-frozen-component",
  defaultSeverity: "error",
  summary: "A learning rate, weight decay, schedule, clip or adapter is set for a component that is frozen.",
  docs: `A setting that can have no effect is most often a component that should have been trained. So an explicit one
is an error, whatever froze the component; one from a preset is a warning.

\`\`\`yaml config expects=setting-for-frozen-component
freeze:
  train_mm_proj_only: true
training:
  components:
    vision_tower: { learning_rate: 2e-6 }
\`\`\`

The same holds for an adapter:

\`\`\`yaml config expects=setting-for-frozen-component
freeze:
  freeze_multi_modal_projector: false
  freeze_language_model: true
  components:
    language_model: { lora: { rank: 8 } }
\`\`\`

Remove the setting, or train the component. Where only a default froze it, the finding names the flag that trains it.
`,
};

/**
 * An adapter entry for a component that another setting freezes. `overridden`: a preset's entry that lost; then a
 * warning.
 */
export function adapterForFrozen(component: string, adapter: Setting, frozenBy: Setting, overridden = false): Finding {
  return finding(SETTING_FOR_FROZEN_COMPONENT, {
    severity: overridden ? "warning" : "error",
    message:
      `\`${describeSetting(adapter)}\` asks for an adapter, and \`${describeSetting(frozenBy)}\` freezes ` +
      `${componentText(component)}${overridden ? ", so no adapter is made" : ""}.`,
    fix:
      `Remove ${quotedWithPlace(frozenBy)} (an adapter freezes its base by itself), or remove ` +
      `${quotedWithPlace(adapter)}.`,
    settings: [adapter, frozenBy],
  });
}
