import {
  API_VERSION,
  definePlugin,
  evaluatedLine,
  planReport,
  STAGE_LATE,
  stepLine,
  type Plugin,
  type SavedState,
} from "@thaw/core";
import type { EventWriter } from "./events.js";
import type { Progress } from "../terminal/progress.js";
import { addLine, tokenRate, type RunRecord } from "./record.js";
import { restoreRecord, savedRecord } from "./record-state.js";
import { findingLines, verdictLine } from "../render/findings.js";
import { planLines } from "../render/plan.js";
import type { Terminal } from "../terminal/terminal.js";

/** The recorder's name among the plugins. */
export const RECORD_PLUGIN = "CliRecordPlugin";
const PLUGIN_NAME = RECORD_PLUGIN;

/** What the recorder writes to while the run goes on. */
export interface RecordSinks {
  readonly record: RunRecord;
  readonly progress: Progress;
  readonly events: EventWriter;
  /** Told where the state of a run that fails is. */
  readonly failure: { saved?: SavedState; isPlanPrinted?: boolean };
  /** Absent: the plan is not printed. */
  readonly terminal?: Terminal;
  /** Paths of settings are shown from here. */
  readonly folder: string;
}

/**
 * Keeps what the summary and the report need, prints the plan and the verdict, moves the progress bar, writes the
 * events.
 */
export function recordPlugin(sinks: RecordSinks): Plugin {
  const { record, progress, events } = sinks;
  return definePlugin({
    name: PLUGIN_NAME,
    apiVersion: API_VERSION,
    apply(trainer) {
      const { hooks } = trainer;
      hooks.planned.tapPromise({ name: PLUGIN_NAME, stage: STAGE_LATE }, (planned) => {
        record.planned = planned;
        const { hash, components } = planReport(planned);
        events.write("planned", { hash, components, findings: planned.findings });
        printPlan(sinks);
        return Promise.resolve();
      });
      hooks.beforeRun.tapPromise({ name: PLUGIN_NAME, stage: STAGE_LATE }, ({ backend, totalSteps, runFolder }) => {
        record.backend = backend.description;
        record.totalSteps = totalSteps;
        events.write("started", { runFolder, backend: backend.name, totalSteps });
        return Promise.resolve();
      });
      hooks.beforeStep.tapPromise(PLUGIN_NAME, ({ step, totalSteps, memory }) => {
        if (record.isBarTaken) progress.begin("train", totalSteps, step);
        record.isBarTaken = false;
        memory();
        return Promise.resolve();
      });
      hooks.afterStep.tapPromise({ name: PLUGIN_NAME, stage: STAGE_LATE }, (context) => {
        const { event, ...fields } = stepLine(context);
        const tokensPerSecond = tokenRate(fields);
        addLine(record, { event, ...fields }, context.memory().peakBytes);
        progress.step(fields.step, { loss: fields.loss, tokensPerSecond });
        events.write(event, { ...fields, tokensPerSecond });
        return Promise.resolve();
      });
      hooks.evaluated.tapPromise(PLUGIN_NAME, (context) => {
        const { name, step, metrics } = context;
        addLine(record, evaluatedLine(context));
        record.isBarTaken = true;
        events.write("evaluated", { name, step, metrics });
        return Promise.resolve();
      });
      hooks.checkpoint.tapPromise({ name: PLUGIN_NAME, stage: STAGE_LATE }, (state, { step, folder }) => {
        events.write("checkpoint", { step, folder });
        return Promise.resolve({ ...state, [PLUGIN_NAME]: savedRecord(record) });
      });
      hooks.restored.tapPromise(PLUGIN_NAME, async (state, { runFolder, step }) => {
        await restoreRecord(record, state[PLUGIN_NAME], runFolder, step);
      });
      hooks.done.tapPromise({ name: PLUGIN_NAME, stage: STAGE_LATE }, (summary) => {
        progress.end();
        record.summary = summary;
        return Promise.resolve();
      });
      hooks.failed.tapPromise(PLUGIN_NAME, ({ saved }) => {
        progress.end();
        if (saved !== undefined) sinks.failure.saved = saved;
        return Promise.resolve();
      });
    },
  })();
}

function printPlan({ record, terminal, folder, failure }: RecordSinks): void {
  if (terminal === undefined || record.planned === undefined) return;
  failure.isPlanPrinted = true;
  const { colors, width } = terminal;
  const { findings } = record.planned;
  const lines = [
    colors.bold("Trainability plan"),
    ...planLines(record.planned, { colors, width }),
    "",
    verdictLine(findings, colors),
    ...findingLines(findings, { colors, folder, width }),
    "",
  ];
  for (const line of lines) terminal.out(line);
}
