import type { Rule, RuleContext } from "@thaw/core";
import { listed, quotedSetting, settingsUnder } from "../settings.js";

export const checkpointingWithoutGradient: Rule<RuleContext> = {
  id: "checkpointing-without-gradient",
  defaultSeverity: "note",
  summary: "Activation checkpointing is on for a part of the model that no gradient passes through.",
  docs: `Nothing at or before a \`prefix\` segment trains, so it keeps no activation that a checkpoint could save.
\`auto\` recomputes only where memory is saved.

\`\`\`yaml config expects=checkpointing-without-gradient
freeze: { train_mm_proj_only: true }
training: { activation_checkpointing: on }
\`\`\`
`,
  check(context) {
    const setting = settingsUnder(context.settings, ["training", "activation_checkpointing"]).find(
      ({ origin, value }) => origin === "explicit" && (value === "on" || value === true),
    );
    if (setting === undefined || context.training.activationCheckpointing !== "on") return [];
    const prefix = [...context.flows]
      .filter(([name, flow]) => flow === "prefix" && !name.includes("."))
      .map(([name]) => name);
    if (prefix.length === 0) return [];
    return [
      {
        rule: "checkpointing-without-gradient",
        severity: "note" as const,
        message:
          `Activation checkpointing does nothing for ${listed(prefix)}: no gradient passes there, so no activation ` +
          "is kept.",
        fix: `Nothing needs to change; \`auto\` in ${quotedSetting(setting)} checkpoints only where it saves memory.`,
        settings: [setting],
        ...(setting.file === undefined || setting.means !== undefined
          ? {}
          : { edit: { action: "set", file: setting.file, path: setting.path, value: "auto" } as const }),
      },
    ];
  },
};
