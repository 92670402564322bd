import type { Finding, Rule, RuleContext } from "@thaw/core";

/** Learning rate from which this team wants a warm-up. */
export const HIGH_RATE = 5e-3;

/** A rule is data and a pure function: what it finds, it returns. */
export const highRateWithoutWarmup: Rule<RuleContext> = {
  id: "high-rate-without-warmup",
  defaultSeverity: "warning",
  summary: "A high learning rate against a schedule without warm-up.",
  docs:
    `A group that trains at ${HIGH_RATE} or more starts with a few small steps: give it \`schedule: { ` +
    "warmup_ratio: 0.03 }`.",
  check(context): Finding[] {
    const trained = new Set(
      context.plan.phases.flatMap((phase) =>
        phase.entries.filter((entry) => entry.trainable).map((entry) => entry.group),
      ),
    );
    return context.groups
      .filter((group) => trained.has(group.name) && group.learningRate >= HIGH_RATE && !hasWarmup(group.schedule))
      .map((group) => ({
        rule: "high-rate-without-warmup",
        severity: "warning",
        message: `${group.name} trains at ${group.learningRate} from the first step on.`,
        fix: "Set training.schedule.warmupRatio to 0.03, or lower the rate.",
        // Where the user wrote the rate: the report then shows file and line.
        settings: context.settings.filter(({ path }) => /learning_?rate$/i.test(path)),
      }));
  },
};

function hasWarmup(schedule: RuleContext["groups"][number]["schedule"]): boolean {
  return (schedule.warmupSteps ?? 0) > 0 || schedule.warmupRatio > 0;
}
