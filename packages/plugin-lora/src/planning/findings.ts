import { type ComponentRequest, type Finding, nameList, type RuleInfo, type Setting } from "@thaw/core";

export const ADAPTER_FILE_UNUSABLE: RuleInfo = {
  id: "adapter-file-unusable",
  defaultSeverity: "error",
  summary: "`lora.adapter` names a folder that is not an adapter for this model and plan.",
  docs: `A run may start from an adapter in PEFT's layout (\`adapter_config.json\`, \`adapter_model.safetensors\`).
Rank, alpha and target modules then come from the folder: settings that say otherwise contradict it. Each component of
which it adapts layers needs a \`lora\` entry, and its layers must be the model's.

\`\`\`yaml config expects=adapter-file-unusable
freeze:
  components:
    language_model: { lora: {} }
lora: { adapter: ./no-such-folder }
\`\`\`
`,
};

/** The folder cannot be used; `problems` are sentences. */
export function fileUnusable(
  folder: string,
  problems: readonly string[],
  fix: string,
  settings: readonly Setting[],
): Finding {
  return {
    rule: ADAPTER_FILE_UNUSABLE.id,
    severity: "error",
    message: `The adapter in ${folder} cannot be used. ${problems.join(" ")}`,
    fix,
    settings,
  };
}

/** Targets that name no linear layer of the component. `buffers`: those of the model that end in one of them. */
export function targetsUnmatched(
  { component, settings }: ComponentRequest,
  targets: readonly string[],
  known: readonly string[],
  buffers: readonly string[],
): Finding {
  const list = targets.map((target) => `\`${target}\``).join(", ");
  return {
    rule: "selector-matches-nothing",
    severity: "error",
    settings: settings.slice(0, 1),
    message:
      `${list} ${targets.length === 1 ? "is" : "are"} among the target modules of the adapter over ${component}, ` +
      "and no linear layer there ends in " +
      `that.${buffers.length === 0 ? "" : ` Buffers have no adapter: ${nameList(buffers, 3)}.`}`,
    fix:
      known.length === 0
        ? `Remove the adapter: ${component} has no linear layer that a gradient reaches.`
        : `Write one of ${known.join(", ")}, or all-linear for all of them.`,
  };
}

/** A component without anything to adapt. */
export function nothingToAdapt({ component, settings }: ComponentRequest): Finding {
  return {
    rule: "selector-matches-nothing",
    severity: "error",
    settings: settings.slice(0, 1),
    message: `An adapter is asked for over ${component}, which has no linear layer that a gradient reaches.`,
    fix: "Remove the adapter, or train the component in another way.",
  };
}

/** Options that this plugin does not know. */
export function requestInvalid({ component, settings }: ComponentRequest, problems: readonly string[]): Finding {
  return {
    rule: "config",
    severity: "error",
    settings: settings.slice(0, 1),
    message: `The lora options of ${component} are invalid: ${problems.join("; ")}.`,
    fix: "Known are rank, alpha, dropout, targetModules and rslora.",
  };
}
