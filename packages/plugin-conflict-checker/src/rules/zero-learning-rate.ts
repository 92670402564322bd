import type { Rule, RuleContext } from "@thaw/core";
import { componentFacts } from "../plan-facts.js";
import { quotedSetting, settingsUnder, spelledLike } from "../settings.js";

export const zeroLearningRate: Rule<RuleContext> = {
  id: "zero-learning-rate",
  defaultSeverity: "warning",
  summary: "The learning rate of a trained component is 0.",
  docs: `A learning rate of 0 does all the work of training (gradients, activations, optimizer state) and changes
nothing. Frozen says it better, and costs nothing.

\`\`\`yaml config expects=zero-learning-rate
freeze:
  freeze_multi_modal_projector: false
training:
  components:
    language_model: { learning_rate: 0 }
\`\`\`

\`\`\`yaml config expects=none
freeze:
  freeze_multi_modal_projector: false
  freeze_language_model: true
\`\`\`
`,
  check(context) {
    const facts = componentFacts(context);
    const usedGroups = new Map(
      context.plan.phases.flatMap(({ entries }) =>
        entries.filter(({ trainable }) => trainable).map(({ group, component }) => [group, component] as const),
      ),
    );
    return context.groups
      .filter(({ name, learningRate }) => learningRate === 0 && usedGroups.has(name))
      .map(({ name }) => {
        const component = usedGroups.get(name)!;
        const own = settingsUnder(context.settings, ["training", "components", component, "learning_rate"]);
        const settings = own.length > 0 ? own : settingsUnder(context.settings, ["training", "learning_rate"]);
        const key = spelledLike(context.settings, `components`);
        return {
          rule: "zero-learning-rate",
          severity: "warning" as const,
          message: `${component} trains with a learning rate of 0: it costs as much as training and moves nothing.`,
          fix:
            `${settings[0] === undefined ? "Give it a learning rate" : `Change ${quotedSetting(settings[0])}`}, or ` +
            `freeze it: \`freeze: { ${key}: { ${spelledLike(context.settings, component)}: frozen } }\`.`,
          settings: [
            ...settings,
            ...(facts.get(component)?.settings.filter(({ origin }) => origin !== "default") ?? []),
          ],
        };
      });
  },
};
