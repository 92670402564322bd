import type { Finding, RuleInfo, Setting } from "@thaw/core";
import { componentText, describeSetting } from "../deciding/describe.js";
import { finding } from "./finding.js";

export const SCHEDULE_POSITION_UNKNOWN: RuleInfo = {
  id: "schedule-position-unknown",
  defaultSeverity: "note",
  summary: "A schedule in epochs cannot be placed, because the number of steps in an epoch is not known yet.",
  docs: `\`unfreeze_at_epoch\` and \`freeze_at_epoch\` become steps when the training data is known. Without data,
\`thaw plan\` and \`thaw check\` show the component as it is before that edge.
`,
};

export function schedulePositionUnknown(component: string, setting: Setting): Finding {
  return finding(SCHEDULE_POSITION_UNKNOWN, {
    message:
      `The schedule of ${componentText(component)} in \`${describeSetting(setting)}\` is in epochs, and the steps ` +
      "of an epoch are not known without training data.",
    fix: "Name training data to see the step, or give the position in steps.",
    settings: [setting],
  });
}
