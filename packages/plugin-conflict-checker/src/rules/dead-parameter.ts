import type { Rule, RuleContext } from "@thaw/core";
import { everTrained } from "../plan-facts.js";
import { listed } from "../settings.js";

export const deadParameter: Rule<RuleContext> = {
  id: "dead-parameter",
  defaultSeverity: "warning",
  summary: "A parameter is trained, and no path leads from it to the loss.",
  docs: `Some parameters of a checkpoint are never used: a tower's blocks after the layer whose features are taken, or its last norm. Their gradient is
always zero. Training the tower trains everything else in it, so the run is right; only the count of trained parameters says too much.

\`\`\`yaml config expects=dead-parameter
freeze:
  freeze_vision_tower: false
  freeze_multi_modal_projector: false
\`\`\`

Select what is used, for example \`components: { vision_tower: { match: [encoder.layers.0, encoder.layers.1] } }\`, or ignore the warning.
`,
  check(context) {
    const dead = new Set(context.model.deadParameters);
    const trained = everTrained(context.plan.phases);
    const byComponent = new Map<string, string[]>();
    for (const name of trained) {
      const component = context.owners.get(name);
      if (component === undefined || !dead.has(name)) continue;
      byComponent.set(component, [...(byComponent.get(component) ?? []), name]);
    }
    return [...byComponent].map(([component, names]) => {
      const entries = context.plan.phases.flatMap((phase) => phase.entries).filter(({ name, trainable }) => trainable && names.includes(name));
      return {
        rule: "dead-parameter",
        severity: "warning" as const,
        message: `${names.length === 1 ? "One trained parameter" : `${names.length} trained parameters`} of ${component} cannot reach the loss: ${listed(names)}.`,
        fix: `Train only the blocks of ${component} that are used, or leave it: these parameters stay as they are.`,
        settings: entries[0]?.reason.settings.filter(({ origin }) => origin !== "default") ?? [],
      };
    });
  },
};
