import type { Finding, Rule, RuleContext } from "@thaw/core";

/** Learning rate above which this rule speaks. */
const HIGHEST = 0.1;

/** A rule is data and a pure function; a config sets its severity under `checks.rules`. */
export const rule: Rule<RuleContext> = {
  id: "my-plugin-high-rate",
  defaultSeverity: "warning",
  summary: `A learning rate above ${HIGHEST}.`,
  docs: `Runs at more than ${HIGHEST} rarely end well: lower the rate.`,
  check: ({ groups, settings }): Finding[] =>
    groups
      .filter(({ learningRate }) => learningRate > HIGHEST)
      .map(({ name, learningRate }) => ({
        rule: "my-plugin-high-rate",
        severity: "warning",
        message: `${name} trains at ${learningRate}.`,
        fix: `Give a learning rate of at most ${HIGHEST}.`,
        // Where the user wrote it: the report then shows file and line.
        settings: settings.filter(({ path }) => /learning_?rate$/i.test(path)),
      })),
};
