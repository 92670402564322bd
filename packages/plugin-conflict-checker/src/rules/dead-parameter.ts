import type { Finding, Rule, RuleContext } from "@thaw/core";
import { reachingSegments, usersOf } from "../reach.js";
import { listed, quotedSetting, settingsUnder } from "../settings.js";

export const deadParameter: Rule<RuleContext> = {
  id: "dead-parameter",
  defaultSeverity: "warning",
  summary: "A parameter is trained, and no path leads from it to the loss.",
  docs: `Some parameters of a checkpoint are never used: a tower's blocks after the layer whose features are taken, or
its last norm. Their gradient is always zero. Training the tower trains everything else in it, so the run is right;
only the count of trained parameters says too much.

\`\`\`yaml config expects=dead-parameter
freeze:
  freeze_vision_tower: false
  freeze_multi_modal_projector: false
\`\`\`

Select what is used, for example \`components: { vision_tower: { match: [encoder.layers.0, encoder.layers.1] } }\`, or
ignore the warning.

\`stop_gradient_after\` cuts paths too. What trains behind the cut gets no gradient:

\`\`\`yaml config expects=dead-parameter
freeze:
  freeze_multi_modal_projector: false
  stop_gradient_after: [multi_modal_projector]
\`\`\`
`,
  check: (context) => [...unused(context), ...cutOff(context)],
};

/** Parameters that the family says are never used. */
function unused(context: RuleContext): readonly Finding[] {
  const dead = new Set(context.model.deadParameters);
  return perComponent(context, (phase) =>
    phase.entries.filter(({ name, trainable }) => trainable && dead.has(name)).map(({ name }) => name),
  ).map(({ component, names, settings }) => ({
    rule: "dead-parameter",
    severity: "warning",
    message: `${countText(names.length)} of ${component} cannot reach the loss: ${listed(names)}.`,
    fix: `Train only the blocks of ${component} that are used, or leave it: these parameters stay as they are.`,
    settings,
  }));
}

/** Parameters behind a stopped gradient. */
function cutOff(context: RuleContext): readonly Finding[] {
  const { segments } = context.model;
  const stopSettings = settingsUnder(context.settings, ["freeze", "stop_gradient_after"]);
  const dead = new Set(context.model.deadParameters);
  const found = perComponent(context, (phase) => {
    if ((phase.stopGradientAfter ?? []).length === 0) return [];
    const reaching = reachingSegments(segments, new Set(phase.stopGradientAfter));
    return phase.entries
      .filter(({ name, trainable }) => trainable && !dead.has(name))
      .map(({ name }) => name)
      .filter((name) => {
        const users = usersOf(name, segments);
        return users.length > 0 && !users.some((user) => reaching.has(user));
      });
  });
  return found.map(({ component, names, settings }) => ({
    rule: "dead-parameter",
    severity: "warning",
    message:
      `${countText(names.length)} of ${component} ${names.length === 1 ? "is" : "are"} behind a stopped gradient ` +
      `and never move: ${listed(names)}.`,
    fix:
      `Freeze ${component}, or take the segment out of ` +
      `${stopSettings[0] === undefined ? "the plan's stops" : quotedSetting(stopSettings[0])}.`,
    settings: [...stopSettings, ...settings],
  }));
}

function countText(count: number): string {
  return count === 1 ? "One trained parameter" : `${count} trained parameters`;
}

/** The names that `select` finds in any phase, by component, with the settings that train them. */
function perComponent(
  { plan, owners }: RuleContext,
  select: (phase: RuleContext["plan"]["phases"][number]) => readonly string[],
) {
  const names = new Set(plan.phases.flatMap(select));
  const components = new Set([...names].map((name) => owners.get(name)!));
  return [...components].map((component) => {
    const own = [...names].filter((name) => owners.get(name) === component);
    const entry = plan.phases
      .flatMap(({ entries }) => entries)
      .find(({ name, trainable }) => trainable && own.includes(name))!;
    return { component, names: own, settings: entry.reason.settings.filter(({ origin }) => origin !== "default") };
  });
}
