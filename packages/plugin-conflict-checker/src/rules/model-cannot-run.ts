import type { Rule, RuleContext } from "@thaw/core";

export const modelCannotRun: Rule<RuleContext> = {
  id: "model-cannot-run",
  defaultSeverity: "warning",
  summary: "The model's type is known for planning alone: Thaw has no forward pass for it.",
  docs: `Who owns which parameter is known for more model types than Thaw runs, so that freeze settings can be planned
and checked from a checkpoint's headers. \`thaw train\`, \`thaw evaluate\` and \`thaw caption\` would end with
\`THAW_MODEL_NO_FORWARD\`; this warning says so before.

Take a checkpoint of a type that Thaw runs ([families](../families.md)), or name a plugin in \`plugins\` that brings the
family ([add a family](../add-a-family.md)).
`,
  check: ({ model }) =>
    model.plansOnly === true
      ? [
          {
            rule: "model-cannot-run",
            severity: "warning",
            message: `Thaw plans and checks a model of type ${model.modelType}, but cannot run it: ${model.source}.`,
            fix: "Take a checkpoint of a type that it runs (docs/families.md), or a plugin that brings this family.",
            settings: [],
          },
        ]
      : [],
};
