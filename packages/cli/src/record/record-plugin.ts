import { API_VERSION, definePlugin, planReport, STAGE_LATE, type Plugin, type SavedState } from "@thaw/core";
import { jsonEvents, type EventWriter } from "./events.js";
import { progressEvents } from "./progress-events.js";
import type { Progress } from "../terminal/progress.js";
import { recordEvents, type RunRecord } from "./record.js";
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
  /** Told where the state of a run that fails is, and its folder. */
  readonly failure: { saved?: SavedState; runFolder?: string; isPlanPrinted?: boolean };
  /** Told after each event of the run. */
  readonly onEvent?: () => void;
  /** Absent: the plan is not printed. */
  readonly terminal?: Terminal;
  /** Paths of settings are shown from here. */
  readonly folder: string;
}

/**
 * Prints the plan and the verdict, and lets the record, the progress bar and `--json` hear of what happens in the run:
 * each of them is a subscriber of its events.
 */
export function recordPlugin(sinks: RecordSinks): Plugin {
  const { record, progress, events } = sinks;
  const subscribers = [recordEvents(record), progressEvents(record, progress), jsonEvents(events)];
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
      hooks.beforeStep.tap(PLUGIN_NAME, ({ step, totalSteps }) => {
        if (record.isBarTaken) progress.begin("train", totalSteps, step);
        record.isBarTaken = false;
      });
      hooks.record.tap({ name: PLUGIN_NAME, stage: STAGE_LATE }, (event, facts) => {
        for (const hear of subscribers) hear(event, facts);
        if (facts.runFolder !== undefined) sinks.failure.runFolder = facts.runFolder;
        if (event.event === "failed" && event.saved !== undefined) sinks.failure.saved = event.saved;
        sinks.onEvent?.();
      });
      hooks.checkpoint.tapPromise({ name: PLUGIN_NAME, stage: STAGE_LATE }, (state) =>
        Promise.resolve({ ...state, [PLUGIN_NAME]: savedRecord(record) }),
      );
      hooks.restored.tapPromise(PLUGIN_NAME, async (state, { runFolder, step }) => {
        await restoreRecord(record, state[PLUGIN_NAME], runFolder, step);
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
