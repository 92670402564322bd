import type { Rule, RuleContext, Setting } from "@thaw/core";
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
    const usedGroups = componentsOfGroups(context);
    return context.groups
      .filter(({ name, learningRate }) => learningRate === 0 && usedGroups.has(name))
      .map(({ name }) => {
        const component = usedGroups.get(name)!;
        const settings = rateSettings(context, component);
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

/** From this rate on a step of AdamW replaces weights, which are mostly below 1, instead of moving them. */
const LARGE_RATE = 1;

export const largeLearningRate: Rule<RuleContext> = {
  id: "large-learning-rate",
  defaultSeverity: "warning",
  summary: "The learning rate of a trained component is so high that a step replaces its weights.",
  docs: `AdamW moves each weight by about the learning rate in a step, whatever the gradient's size, and weights of
transformers are mostly below 1. A rate of 1 or more is most often a lost exponent: \`5\` for \`5e-5\`.

\`\`\`yaml config expects=large-learning-rate
freeze:
  train_mm_proj_only: true
training: { learning_rate: 5 }
\`\`\`

Usual rates are 1e-6 to 1e-5 for a language model or tower, and 1e-4 to 1e-3 for a projector or adapter.
`,
  check(context) {
    const usedGroups = componentsOfGroups(context);
    const tooHigh = context.groups.filter(
      ({ name, learningRate }) => learningRate >= LARGE_RATE && usedGroups.has(name),
    );
    const bySetting = new Map(
      tooHigh.map((group) => {
        const component = usedGroups.get(group.name)!;
        const settings = rateSettings(context, component);
        return [settings[0]?.path ?? component, { ...group, component, settings }] as const;
      }),
    );
    return [...bySetting.values()].map(({ learningRate, component, settings }) => ({
      rule: "large-learning-rate",
      severity: "warning" as const,
      message: `${component} trains with a learning rate of ${learningRate}: one step replaces its weights.`,
      fix: `${settings[0] === undefined ? "Give it" : `Change ${quotedSetting(settings[0])} to`} 1e-3 or less.`,
      settings,
    }));
  },
};

/** Parameter groups of which something trains, and the component of each. */
function componentsOfGroups({ plan }: RuleContext): ReadonlyMap<string, string> {
  return new Map(
    plan.phases.flatMap(({ entries }) =>
      entries.filter(({ trainable }) => trainable).map(({ group, component }) => [group, component] as const),
    ),
  );
}

/** What gives a component its learning rate. */
function rateSettings({ settings }: RuleContext, component: string): readonly Setting[] {
  const own = settingsUnder(settings, ["training", "components", component, "learning_rate"]);
  return own.length > 0 ? own : settingsUnder(settings, ["training", "learning_rate"]);
}
