import { isSegmentPrefix, type Finding, type Rule, type RuleContext } from "@thaw/core";
import { componentFacts } from "../plan-facts.js";
import { listed } from "../settings.js";

/** A claim `trainingMode:vision_tower` says that a plugin runs the component with dropout or batch statistics on. */
const TRAINING_MODE = "trainingMode:";
const CACHED = "segmentOutputs:";

export const frozenInTrainingMode: Rule<RuleContext> = {
  id: "frozen-in-training-mode",
  defaultSeverity: "warning",
  summary: "A plugin runs a frozen component in training mode, with dropout or batch statistics on.",
  docs: `Thaw runs frozen components in inference mode: no dropout, and no statistics that move. A plugin that
switches training mode on for a component says so in \`claims.writes\` (\`trainingMode:vision_tower\`). For a frozen
component that adds noise which nothing learns from, and moving statistics would break the promise that a frozen
component is untouched.
`,
  check(context) {
    const facts = componentFacts(context);
    return claimed(context, TRAINING_MODE).flatMap(({ plugin, name }): readonly Finding[] => {
      const fact = facts.get(name);
      if (fact === undefined || fact.trains) return [];
      return [
        {
          rule: "frozen-in-training-mode",
          severity: "warning",
          message: `The plugin ${plugin} runs ${name} in training mode, and ${name} is frozen.`,
          fix: `Switch that off in the options of ${plugin}, or train ${name}.`,
          settings: fact.settings.filter(({ origin }) => origin !== "default"),
        },
      ];
    });
  },
};

export const cacheWithStochasticTower: Rule<RuleContext> = {
  id: "cache-with-stochastic-tower",
  defaultSeverity: "error",
  summary: "The output of a segment is cached, and a plugin runs it with dropout or batch statistics on.",
  docs: `A cache gives the same output for the same input. A component in training mode does not: its cached output
would be one random draw, used for the whole run. Plugins declare both in \`claims.writes\`:
\`segmentOutputs:vision_tower\` and \`trainingMode:vision_tower\`.
`,
  check(context) {
    const caches = claimed(context, CACHED);
    return claimed(context, TRAINING_MODE).flatMap(({ plugin, name }): readonly Finding[] => {
      const cachedBy = caches.filter((cache) => isSegmentPrefix(name, cache.name)).map((cache) => cache.plugin);
      if (cachedBy.length === 0) return [];
      return [
        {
          rule: "cache-with-stochastic-tower",
          severity: "error",
          message:
            `The plugin ${listed([...new Set(cachedBy)])} caches the output of ${name}, and the plugin ${plugin} ` +
            `runs ${name} in training mode, so each output is a random draw.`,
          fix: `Switch the cache off, or remove ${plugin}.`,
          settings: [],
        },
      ];
    });
  },
};

function claimed(
  { claims }: RuleContext,
  prefix: string,
): readonly { readonly plugin: string; readonly name: string }[] {
  return [...claims].flatMap(([plugin, { writes = [], exclusive = [] }]) =>
    [...new Set([...writes, ...exclusive])]
      .filter((name) => name.startsWith(prefix))
      .map((name) => ({ plugin, name: name.slice(prefix.length) })),
  );
}
