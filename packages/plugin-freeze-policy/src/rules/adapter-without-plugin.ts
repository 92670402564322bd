import type { Finding, RuleInfo, Setting } from "@thaw/core";
import { componentText, describeSetting, quotedWithPlace } from "../deciding/describe.js";
import type { Vocabulary } from "../intent/vocabulary.js";
import { finding } from "./finding.js";

export const ADAPTER_WITHOUT_PLUGIN: RuleInfo = {
  id: "adapter-without-plugin",
  defaultSeverity: "error",
  summary: "An adapter is asked for, and no loaded plugin makes adapters.",
  docs: `\`lora\` in a \`components\` entry is read by the freeze policy, which freezes the base. The adapter's own
parameters come from a plugin that adds them in the \`parameters\` hook and claims to write \`adapters\`. The command
line always loads one, \`@thaw/plugin-lora\`; a program names it in \`plugins\`. Without such a plugin nothing of the
component would train.
`,
};

export function adapterWithoutPlugin(component: string, adapter: Setting, vocabulary: Vocabulary): Finding {
  const alternative = vocabulary.assign(["components", component], { lastBlocks: 2 });
  return finding(ADAPTER_WITHOUT_PLUGIN, {
    message:
      `\`${describeSetting(adapter)}\` asks for an adapter over ${componentText(component)}, and no loaded plugin ` +
      "makes adapters.",
    fix:
      "Add a plugin that makes adapters, or replace " +
      `${quotedWithPlace(adapter)}${alternative === undefined ? "" : `, for example by \`${alternative}\``}.`,
    settings: [adapter],
  });
}
