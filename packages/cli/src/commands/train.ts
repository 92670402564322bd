import { ThawError, Trainer, type Logger, type RunSummary, type TrainerOptions } from "@thaw/core";
import { openParts, trainerOptions, type Parts } from "../build-run.js";
import { captionEvaluators } from "../caption-evaluator.js";
import { badOption } from "../errors.js";
import { eventWriter, type EventWriter } from "../events.js";
import { watchInterrupts } from "../interrupt.js";
import { loadConfig, type LoadedConfig } from "../load-config.js";
import { createLogger, type LogLevel } from "../log.js";
import { isRefused, planRun, type Planning } from "../plan-run.js";
import { createProgress, silentProgress, type Progress } from "../progress.js";
import { newRecord, type RunRecord } from "../record.js";
import { recordPlugin } from "../record-plugin.js";
import { findingLines, verdictLine } from "../render/findings.js";
import { summaryLines } from "../render/summary.js";
import { writeReport } from "../report/report.js";
import { loadRunConfig, runFolderOf, titleOf } from "../run-folder.js";
import { measureSaving } from "../saving.js";
import type { Terminal } from "../terminal.js";

/** Options of `thaw train`. */
export interface TrainOptions {
  readonly set: readonly string[];
  readonly resume?: string;
  readonly acceptPlanChange?: boolean;
  /** Steps of the comparison; `true`: the default. */
  readonly compareAllTrainable?: string | true;
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly logLevel: LogLevel;
}

const COMPARED_STEPS = 4;

/** Trains as a config says, or goes on with a run. Returns 0, 1 where the config or plan has errors, 130 where Ctrl-C stopped it. */
export async function train(configPath: string | undefined, options: TrainOptions, terminal: Terminal): Promise<number> {
  const comparedSteps = readComparedSteps(options.compareAllTrainable);
  if (options.resume !== undefined && configPath !== undefined) throw badOption("[config]", configPath, "either a config or --resume: a resumed run has its own");
  const runFolder = options.resume === undefined ? undefined : await runFolderOf(options.resume);
  const loadOptions = { set: options.set, requires: "training" } as const;
  const config = runFolder === undefined ? await loadConfig(configPath, loadOptions) : await loadRunConfig(runFolder, loadOptions);
  const events = eventWriter(terminal, options.json === true);
  const planning = await planRun(config);
  if (isRefused(planning)) return refuse(planning, events, terminal);

  const progress = options.quiet === true ? silentProgress() : await createProgress(terminal);
  const logger = await createLogger(options.logLevel, { beforeLine: () => progress.clear() });
  const record = newRecord(titleOf(config.values.runName, config.folder));
  let parts: Parts | undefined;
  try {
    parts = await openParts(config);
    const resume = options.resume === undefined ? undefined : { from: options.resume, acceptPlanChange: options.acceptPlanChange === true };
    return await trainParts(config, parts, { record, events, terminal, progress, logger, comparedSteps, isJson: options.json === true, ...(resume === undefined ? {} : { resume }) });
  } catch (error) {
    const { code, message } = error instanceof ThawError ? error : { code: "THAW_UNEXPECTED", message: String(error) };
    events.write("error", { code, message });
    throw error;
  } finally {
    progress.end();
    await parts?.close();
  }
}

interface TrainContext {
  readonly record: RunRecord;
  readonly events: EventWriter;
  readonly terminal: Terminal;
  readonly progress: Progress;
  readonly logger: Logger;
  /** 0: no comparison. */
  readonly comparedSteps: number;
  readonly isJson: boolean;
  readonly resume?: NonNullable<TrainerOptions["resume"]>;
}

async function trainParts(config: LoadedConfig, parts: Parts, context: TrainContext): Promise<number> {
  const { record, events, terminal, progress, logger } = context;
  const folder = process.cwd();
  record.model = parts.model.source;
  const recorder = recordPlugin({ record, progress, events, folder, ...(context.isJson ? {} : { terminal }) });
  const interrupts = watchInterrupts(terminal, () => {
    progress.clear();
    trainer.stop("Ctrl-C");
  });
  const evaluators = captionEvaluators(config, parts, { record, progress, isStopping: interrupts.isInterrupted });
  const options = trainerOptions(config, parts, { plugins: [recorder], evaluators, logger, ...(context.resume === undefined ? {} : { resume: context.resume }) });
  const trainer = new Trainer(options);
  try {
    const summary = await trainer.run();
    record.summary = summary;
    if (interrupts.isInterrupted()) return stopped(summary, context);
    if (context.comparedSteps > 0) {
      const saving = await measureSaving(options, record, context.comparedSteps, progress);
      if (saving !== undefined) record.saving = saving;
    }
    await finish(summary, context, folder);
    return 0;
  } finally {
    interrupts.stop();
  }
}

async function finish(summary: RunSummary, { record, events, terminal, isJson }: TrainContext, folder: string): Promise<void> {
  const report = summary.runFolder === undefined ? undefined : await writeReport(record, summary.runFolder, folder);
  events.write("done", { ...summary, captions: record.captions.map(({ name, before, after, baselines }) => ({ name, before: scores(before), after: scores(after), baselines })), saving: record.saving, report });
  if (isJson) return;
  terminal.out("");
  for (const line of summaryLines(record, { colors: terminal.colors, width: terminal.width })) terminal.out(line);
  terminal.out("");
  if (report !== undefined) terminal.out(`Report: ${report}`);
  if (summary.runFolder !== undefined) terminal.out(`Run: ${summary.runFolder}`);
}

function scores(result: { readonly exactMatch: number; readonly tokenF1: number; readonly samples: number } | undefined): unknown {
  return result === undefined ? undefined : { exactMatch: result.exactMatch, tokenF1: result.tokenF1, samples: result.samples };
}

function stopped(summary: RunSummary, { events, terminal }: TrainContext): number {
  events.write("stopped", { step: summary.steps, runFolder: summary.runFolder });
  terminal.err(`Stopped after step ${summary.steps}; a checkpoint is saved.`);
  if (summary.runFolder !== undefined) terminal.err(`Go on with: npx thaw train --resume ${summary.runFolder}`);
  return 130;
}

function refuse({ findings }: Planning, events: EventWriter, terminal: Terminal): number {
  events.write("refused", { findings });
  const { errorColors: colors, width } = terminal;
  for (const line of [...findingLines(findings, { colors, folder: process.cwd(), width }), "", verdictLine(findings, colors), "Nothing was trained."]) terminal.err(line);
  return 1;
}

function readComparedSteps(option: string | true | undefined): number {
  if (option === undefined) return 0;
  if (option === true) return COMPARED_STEPS;
  const steps = Number(option);
  if (!Number.isInteger(steps) || steps < 1) throw badOption("--compare-all-trainable", option, "a whole number above 0");
  return steps;
}
