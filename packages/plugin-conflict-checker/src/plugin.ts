import { API_VERSION, definePlugin, STAGE_LATE, type Rule, type RuleContext, type TrainerApi } from "@thaw/core";
import { checksSchema, type ConflictCheckerOptions, type ResolvedConflictCheckerOptions } from "./options.js";
import { checkerRules } from "./rules/index.js";
import { applySeverities, unknownRules } from "./severities.js";

const PLUGIN_NAME = "ConflictCheckerPlugin";

/**
 * Finds contradictory, empty and useless settings before a weight is read, and gives every rule's findings the severity
 * that the user set.
 */
export const conflictChecker = definePlugin<ConflictCheckerOptions, ResolvedConflictCheckerOptions>({
  name: PLUGIN_NAME,
  apiVersion: API_VERSION,
  configKey: "checks",
  optionsSchema: checksSchema,
  claims: { reads: ["plan", "parameterGroups", "claims"], writes: ["findings"] },
  apply(trainer, options, settings) {
    trainer.hooks.rules.tap(PLUGIN_NAME, (collector) => {
      for (const rule of checkerRules({ memoryLimitBytes: options.memoryLimit })) collector.add(rule);
    });
    trainer.hooks.findings.tap({ name: PLUGIN_NAME, stage: STAGE_LATE }, (findings) => {
      const rules = rulesOf(trainer);
      const known = [...new Set([...rules.map(({ id }) => id), "config"])];
      return applySeverities([...findings, ...unknownRules(options.rules, known, settings)], rules, options.rules);
    });
  },
});

/** Every rule that the trainer's plugins hand in, in the order of the plugins; one id may have several parts. */
export function rulesOf(trainer: TrainerApi): readonly Rule<RuleContext>[] {
  const rules: Rule<RuleContext>[] = [];
  trainer.hooks.rules.call({ add: (rule) => void rules.push(rule) });
  return rules;
}
