import {
  API_VERSION,
  definePlugin,
  STAGE_LATE,
  trainedNames,
  type Plan,
  type PlanEntry,
  type Setting,
  type TrainerApi,
} from "@thaw/core";
import { rowsAndFull, TOKEN_ROWS_AND_FULL } from "./findings.js";
import { tokenRowsSchema, type ResolvedTokenRows, type TokenRowsOptions } from "./options.js";
import { NO_ROWS, planRows, tokenSettings, type RowsPlan } from "./plan-rows.js";
import { mergedRows } from "./rows.js";
import { RowsScope } from "./rows-scope.js";

export const PLUGIN_NAME = "TokenRowsPlugin";

/** The rows of each trainer that planned. */
const planned = new WeakMap<TrainerApi, RowsPlan>();

/**
 * Rows of single tokens that train in a frozen embedding: `tokenRows({ tokens: ["<box>", 32001] })`. They are a
 * parameter of their own, put in the places of the frozen rows in the forward pass and when a checkpoint is exported.
 * Without tokens the plugin changes nothing.
 */
export const tokenRows = definePlugin<TokenRowsOptions | undefined, ResolvedTokenRows>({
  name: PLUGIN_NAME,
  apiVersion: API_VERSION,
  configKey: "tokenRows",
  optionsSchema: tokenRowsSchema,
  claims: {
    reads: ["parameters"],
    writes: ["parameters", "plan", "scope", "exported", "tokenRows"],
    exclusive: ["tokenRows"],
  },
  apply(trainer, options, settings) {
    const { hooks } = trainer;
    const rows = (): RowsPlan["rows"] => (planned.get(trainer) ?? NO_ROWS).rows;
    hooks.rules.tap(PLUGIN_NAME, (collector) => {
      collector.add(TOKEN_ROWS_AND_FULL);
    });
    hooks.parameters.tapPromise(PLUGIN_NAME, async (parameters, { model, report }) => {
      const isNamed = options.tokens.some((token) => typeof token === "string");
      const vocabulary = isNamed ? await model.vocabulary?.() : undefined;
      const { startFrom } = trainer.options;
      const plan = planRows({ model, parameters, options, settings, vocabulary, startFrom }, report);
      planned.set(trainer, plan);
      return [...parameters, ...plan.parameters];
    });
    hooks.plan.tap({ name: PLUGIN_NAME, stage: STAGE_LATE }, (plan, { report }) => {
      const undecided = planned.get(trainer)?.undecided;
      if (undecided !== undefined) return withoutEntry(plan, undecided);
      if (rows().size === 0) return plan;
      for (const matrix of rows().keys()) {
        const whole = plan.phases.find((phase) => trainedNames(phase).has(matrix));
        if (whole !== undefined)
          report(
            rowsAndFull(
              matrix,
              tokenSettings(settings),
              whole.entries.find(({ name }) => name === matrix)!.reason.settings,
            ),
          );
      }
      return withTrainedRows(plan, rows(), tokenSettings(settings));
    });
    hooks.scope.tap(PLUGIN_NAME, (scope, context) =>
      rows().size === 0 || context.purpose === "segment" ? scope : new RowsScope(scope, rows(), context),
    );
    hooks.exported.tapPromise(PLUGIN_NAME, async (values, { parameter, readParameter }) => {
      const own = rows().get(parameter.name);
      return own === undefined ? values : mergedRows(values, own, await readParameter(own.name));
    });
  },
});

/**
 * The plan in which the rows train from the first step on, whatever becomes of their component. Rows that it leaves
 * undecided stay so.
 */
function withTrainedRows(plan: Plan, rows: RowsPlan["rows"], settings: readonly Setting[]): Plan {
  const own = new Map([...rows.values()].map((one) => [one.name, one]));
  const decide = (entry: PlanEntry): PlanEntry => {
    const found = own.get(entry.name);
    if (found === undefined) return entry;
    const count = found.ids.length;
    return {
      ...entry,
      trainable: true,
      reason: { text: `${count} ${count === 1 ? "row" : "rows"} trained by ${placeOf(settings)}`, settings },
    };
  };
  return { phases: plan.phases.map((phase) => ({ ...phase, entries: phase.entries.map(decide) })) };
}

/** The plan that says nothing about one parameter. */
function withoutEntry(plan: Plan, name: string): Plan {
  return {
    phases: plan.phases.map((phase) => ({ ...phase, entries: phase.entries.filter((entry) => entry.name !== name) })),
  };
}

/** `token_rows.tokens (thaw.yaml:7)`, spelt as the user's file does. */
function placeOf([setting]: readonly Setting[]): string {
  if (setting === undefined) return "token_rows.tokens";
  const path = setting.path.replace(/\.\d+$/, "");
  const file = setting.file?.split(/[\\/]/).at(-1);
  return file === undefined ? path : `${path} (${file}${setting.line === undefined ? "" : `:${setting.line}`})`;
}
