import type { Rule, RuleContext } from "@thaw/core";
import { quotedSetting } from "../settings.js";

export const unfreezeAfterTheEnd: Rule<RuleContext> = {
  id: "unfreeze-after-the-end",
  defaultSeverity: "warning",
  summary: "A component is scheduled to change its state after the last step.",
  docs: `\`unfreeze_at_step\` and \`freeze_at_step\` count steps (updates) from 0. A position at or past the end of
the run never comes.

\`\`\`yaml config expects=unfreeze-after-the-end
freeze:
  freeze_multi_modal_projector: false
  components:
    language_model: { unfreeze_at_step: 500 }
training: { max_steps: 100 }
\`\`\`

Move the edge into the run, or make the run longer.
`,
  check({ plan, totalSteps }) {
    if (totalSteps === undefined) return [];
    return plan.phases
      .filter(({ fromStep }) => fromStep >= totalSteps)
      .flatMap((phase) => {
        const before = plan.phases[plan.phases.indexOf(phase) - 1];
        const was = new Map(before?.entries.map(({ name, trainable }) => [name, trainable]));
        const changed = phase.entries.filter(({ name, trainable }) => was.get(name) !== trainable);
        return [...new Set(changed.map(({ component }) => component))].map((component) => {
          const entry = changed.find((one) => one.component === component)!;
          const setting = entry.reason.settings.find(({ origin }) => origin !== "default");
          return {
            rule: "unfreeze-after-the-end",
            severity: "warning" as const,
            message:
              `${component} is to ${entry.trainable ? "start" : "stop"} training at step ${phase.fromStep}, and ` +
              `the run has ${totalSteps} steps: it never does.`,
            fix:
              setting === undefined
                ? `Move the edge below step ${totalSteps}.`
                : `Move the edge below step ${totalSteps} in ${quotedSetting(setting)}, or train longer.`,
            settings: setting === undefined ? [] : [setting],
          };
        });
      });
  },
};
