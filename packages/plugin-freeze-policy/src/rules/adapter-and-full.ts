import type { Finding, RuleInfo, Setting } from "@thaw/core";
import { componentText, describeSetting, quotedWithPlace } from "../deciding/describe.js";
import { finding } from "./finding.js";

export const ADAPTER_AND_FULL: RuleInfo = {
  id: "adapter-and-full",
  defaultSeverity: "error",
  summary: "One component gets an adapter and is trained in full.",
  docs: `An adapter (\`lora\`) trains small matrices over a *frozen* base. A setting that trains the base of the same
component contradicts it.

\`\`\`yaml config expects=adapter-and-full
freeze:
  freeze_language_model: false
  components:
    language_model: { lora: { rank: 8 } }
\`\`\`

Remove the flag: the \`components\` entry alone freezes the base.
`,
};

/** An adapter entry against a setting that trains the component's base (or against the rest of its own entry). */
export function adapterAndFull(component: string, adapter: Setting, full: Setting): Finding {
  const isOne = adapter === full;
  return finding(ADAPTER_AND_FULL, {
    message: isOne
      ? `\`${describeSetting(adapter)}\` asks for an adapter over ${componentText(component)} and trains a part of ` +
        "its base too."
      : `\`${describeSetting(adapter)}\` puts an adapter over ${componentText(component)}, and ` +
        `\`${describeSetting(full)}\` trains it in full.`,
    fix: isOne
      ? `Keep \`lora\` or the blocks and patterns of ${quotedWithPlace(adapter)}, not both.`
      : `Remove ${quotedWithPlace(full)} to train the adapter, or ${quotedWithPlace(adapter)} to train in full.`,
    settings: isOne ? [adapter] : [adapter, full],
  });
}
