import { basename, dirname } from "node:path";
import type { Logger, RunSummary, SavedState, Trainer, TrainerOptions } from "@thaw/core";
import { writeComparison, writeReport } from "@thaw/report";
import { trainerOptions, type Parts } from "./build-run.js";
import type { EventWriter } from "../record/events.js";
import type { Interrupts } from "../processes/interrupt.js";
import type { LoadedConfig } from "../config/load-config.js";
import type { Team } from "../processes/team.js";
import type { Progress } from "../terminal/progress.js";
import { newRecord, type CaptionResult, type RunRecord } from "../record/record.js";
import { recordPlugin } from "../record/record-plugin.js";
import { shellWord } from "../render/text.js";
import { summaryLines } from "../render/summary.js";
import { dataFacts } from "../record/provenance.js";
import { leftOutLines, leftOutOf, tellOfData, type LeftOut } from "./data-notes.js";
import { answerEvaluators, choiceEvaluators } from "../evaluating/evaluators.js";
import { warnOfOverlap } from "./overlap.js";
import { measureSaving } from "./saving.js";
import type { Terminal } from "../terminal/terminal.js";

/** Exit code where another process was stopped by a signal: as by Ctrl-C. */
const STOPPED_ELSEWHERE = 130;

/** What the runs of one `thaw train` share. */
export interface TrainContext {
  readonly events: EventWriter;
  readonly terminal: Terminal;
  readonly progress: Progress;
  readonly logger: Logger;
  /** 0: no comparison with everything trainable. */
  readonly comparedSteps: number;
  readonly isJson: boolean;
  readonly interrupts: Pick<Interrupts, "isInterrupted" | "exitCode">;
  /** The processes that train together; absent: this one alone. */
  readonly team?: Team;
  /** The trainer that Ctrl-C stops. */
  readonly onTrainer: (trainer: Trainer) => void;
  /** Filled in when a run fails. */
  readonly failure: Failure;
  /** ` --trust` where going on with the run needs it, else empty. */
  readonly trustWord: string;
  /** Told after each event of the run. */
  readonly onEvent?: () => void;
  /** What the run is started with: kept with it. */
  readonly environment: Readonly<Record<string, string>>;
}

/** What is left of a run that failed. */
export interface Failure {
  saved?: SavedState;
  /** Where it is, once it has begun. */
  runFolder?: string;
  /** The plan with its findings was shown. */
  isPlanPrinted?: boolean;
}

/** A run with everything that the command line adds to it. */
export interface PreparedRun {
  readonly record: RunRecord;
  readonly options: TrainerOptions;
  /** Samples that were left out so far. */
  readonly leftOut: () => readonly LeftOut[];
}

/**
 * A run as its config means it, with a recorder and evaluators of answers. `@throws THAW_CLI_NOT_A_RUN` for a run to
 * start from that is none.
 */
export async function prepareRun(config: LoadedConfig, parts: Parts, context: TrainContext): Promise<PreparedRun> {
  const { events, terminal, progress, logger, isJson, interrupts, failure, team } = context;
  tellOfData(parts, config.values.training.microBatchSize ?? 1, config.values.seed ?? 0, logger);
  warnOfOverlap(parts.train, parts.evaluation, logger);
  const record = newRecord();
  const { onEvent } = context;
  const told = onEvent === undefined ? {} : { onEvent };
  const sinks = { record, progress, events, failure, folder: process.cwd(), ...told };
  const recorder = recordPlugin({ ...sinks, ...(isJson ? {} : { terminal }) });
  const heard = { record, progress, isStopping: interrupts.isInterrupted };
  const evaluators = [...answerEvaluators(config, parts, heard), ...choiceEvaluators(config, parts, heard)];
  const options = await trainerOptions(config, parts, {
    plugins: [recorder],
    evaluators,
    logger,
    environment: { ...context.environment, ...dataFacts(parts) },
  });
  const leftOut = (): readonly LeftOut[] => leftOutOf(parts);
  if (team === undefined) return { record, options, leftOut };
  return {
    record,
    leftOut,
    options: { ...options, processes: team.size, plugins: [...options.plugins!, team.plugin] },
  };
}

/** After a run: the comparison where it was asked for, the report, the summary. */
export async function finishRun(
  { record, options, leftOut }: PreparedRun,
  summary: RunSummary,
  context: TrainContext,
): Promise<void> {
  const { events, terminal, progress, comparedSteps, isJson } = context;
  record.summary = summary;
  if (comparedSteps > 0) {
    const saving = await measureSaving(options, record, comparedSteps, progress);
    if (saving !== undefined) record.saving = saving;
    if (saving !== undefined && summary.runFolder !== undefined) await writeComparison(summary.runFolder, saving);
  }
  const report = summary.runFolder === undefined ? undefined : await writeReport(summary.runFolder);
  events.write("done", {
    ...summary,
    captions: record.captions.map(({ name, before, after, baselines }) => ({
      name,
      before: scores(before),
      after: scores(after),
      baselines,
    })),
    saving: record.saving,
    report,
    leftOut: leftOut(),
  });
  if (isJson) return;
  terminal.out("");
  for (const line of summaryLines(record, { colors: terminal.colors, width: terminal.width })) terminal.out(line);
  terminal.out("");
  for (const line of leftOutLines(leftOut())) terminal.out(line);
  if (report !== undefined) terminal.out(`Report: ${report}`);
}

/**
 * What a run that a signal ended, of this process or another one of the team, says; its report is written. Returns its
 * exit code.
 */
export async function stoppedRun(
  summary: RunSummary,
  runFolder: string | undefined,
  { events, terminal, interrupts, trustWord }: TrainContext,
): Promise<number> {
  const report = summary.runFolder === undefined ? undefined : await writeReport(summary.runFolder);
  events.write("stopped", { step: summary.steps, runFolder, report });
  terminal.err(`Stopped after step ${summary.steps}; a checkpoint is saved.`);
  if (runFolder !== undefined) terminal.err(`Go on with: npx thaw train --resume ${shellWord(runFolder)}${trustWord}`);
  if (report !== undefined) terminal.err(`Report: ${report}`);
  return interrupts.isInterrupted() ? interrupts.exitCode() : STOPPED_ELSEWHERE;
}

/** How to go on with a run that failed. */
export function goOnLine({ folder, belongsTo }: SavedState, trustWord: string): string {
  const run = dirname(dirname(belongsTo ?? folder));
  if (basename(dirname(belongsTo ?? folder)) !== "checkpoints")
    return `See what it gives: npx thaw evaluate ${shellWord(dirname(folder))}${trustWord}`;
  const move = belongsTo === undefined ? "" : `mv ${shellWord(folder)} ${shellWord(belongsTo)} && `;
  return `Once the cause is gone, go on with: ${move}npx thaw train --resume ${shellWord(run)}${trustWord}`;
}

function scores(result: CaptionResult | undefined): unknown {
  return result === undefined ? undefined : { ...result.scores, samples: result.samples };
}
