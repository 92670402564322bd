import { existsSync } from "node:fs";
import { checkRunSums, ThawError, Trainer, type Logger, type ResumeOptions } from "@thaw/core";
import { serveLivePage, writeReport, type LivePage } from "@thaw/report";
import { openParts } from "../running/build-run.js";
import { badOption } from "../errors.js";
import { eventWriter, type EventWriter } from "../record/events.js";
import { onStrayError } from "../running/ended-process.js";
import { fetchedConfig } from "../hub/fetched-config.js";
import type { HubWatcher } from "../hub/hub-access.js";
import { watchInterrupts } from "../processes/interrupt.js";
import { loadConfig, type LoadedConfig } from "../config/load-config.js";
import { editedConfigLine } from "../running/edited-config.js";
import { needsTrust } from "../config/trusted-code.js";
import { createLogger, type LogLevel } from "../terminal/log.js";
import { isConfigRefused, planConfig, planStages, type ConfigPlanning } from "../planning/plan-stages.js";
import { formTeam, silentTerminal, withTeam, type Team, type TeamOptions } from "../processes/team.js";
import { createProgress, silentProgress } from "../terminal/progress.js";
import { findingLines, verdictLine } from "../render/findings.js";
import { loadRunConfig, loadStageConfigs } from "../running/run-config.js";
import { runFolderOf, stagedRunOf, titleOf } from "../running/run-folder.js";
import type { Terminal } from "../terminal/terminal.js";
import { finishRun, goOnLine, prepareRun, stoppedRun, type Failure, type TrainContext } from "../running/train-run.js";
import { withResumeCommand } from "../running/resume-command.js";
import { startFacts } from "../record/provenance.js";
import { trainStages, type StageToTrain } from "../running/train-stages.js";

/** Options of `thaw train`. */
export interface TrainOptions extends TeamOptions {
  /** Steps of the comparison; `true`: the default. */
  readonly compareAllTrainable?: string | true;
  /** Serve a page that shows the run as it goes. */
  readonly live?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly logLevel: LogLevel;
}

const COMPARED_STEPS = 4;

/** What is to be trained: one run or several stages, planned. */
interface Work {
  readonly planning: ConfigPlanning;
  readonly config: LoadedConfig;
  readonly stages: readonly StageToTrain[];
  readonly resume?: ResumeOptions;
}

/** And with what it is to be compared. */
interface ComparedWork extends Work {
  /** The config as it was named. */
  readonly path: string | undefined;
  readonly comparedSteps: number;
}

/**
 * Trains as a config says, or goes on with a run. Returns 0, 1 where the config or plan has errors, 130 where Ctrl-C
 * stopped it and what is usual for other signals. `advise` is told what to print below an error.
 */
export async function train(
  configPath: string | undefined,
  options: TrainOptions,
  terminal: Terminal,
  advise: (line: string) => void,
): Promise<number> {
  if (options.resume !== undefined && configPath !== undefined)
    throw badOption("[config]", configPath, "either a config or --resume: a resumed run has its own");
  const comparedSteps = readComparedSteps(options.compareAllTrainable);
  const found = { ...(await findWork(configPath, options)), path: configPath, comparedSteps };
  if (isConfigRefused(found.planning))
    return refuse(found.planning, eventWriter(terminal, options.json === true), terminal);
  const work = await fetched(found, { terminal, isQuiet: options.quiet === true });
  const team = await formTeam(configPath, options, {
    environment: process.env,
    onLine: (line) => terminal.err(line),
  });
  if (team === undefined) return trainWork(work, options, terminal, advise);
  if (team.rank === 0) return withTeam(team, () => trainWork(work, options, terminal, advise, team));
  return trainWork(
    work,
    { ...options, json: false, quiet: true, live: false },
    silentTerminal(terminal),
    () => undefined,
    team,
  );
}

async function trainWork(
  work: ComparedWork,
  options: TrainOptions,
  terminal: Terminal,
  advise: (line: string) => void,
  team?: Team,
): Promise<number> {
  const { comparedSteps } = work;
  const events = eventWriter(terminal, options.json === true);
  const progress = options.quiet === true ? silentProgress() : await createProgress(terminal);
  const logger = await createLogger(options.logLevel, {
    isJson: options.json === true,
    beforeLine: () => progress.clear(),
  });
  let current: Trainer | undefined;
  const interrupts = watchInterrupts(terminal, (reason) => {
    progress.clear();
    current?.stop(reason);
  });
  const onTrainer = (trainer: Trainer): void => {
    current = trainer;
    const reason = interrupts.reason();
    if (reason !== undefined) trainer.stop(reason);
  };
  const stopListening = onStrayError((error) => current?.fail(error) === true);
  const failure: Failure = {};
  const trustWord = (await needsTrust(work.config)) ? " --trust" : "";
  const live =
    options.live === true ? await openLive(work.config, failure, (reason) => interrupts.ask(reason)) : undefined;
  if (live !== undefined) events.write("live", { address: live.address });
  if (live !== undefined && options.json !== true) terminal.out(`Live: ${live.address}\n`);
  try {
    const context = {
      events,
      terminal,
      progress,
      logger,
      comparedSteps,
      isJson: options.json === true,
      interrupts,
      onTrainer,
      failure,
      trustWord,
      environment: startFacts(work.path, options),
      ...(live === undefined ? {} : { onEvent: () => live.changed() }),
      ...(team === undefined ? {} : { team }),
    };
    for (const line of await editedSince(work)) logger.warn(line);
    return await (work.stages.length > 0
      ? trainStages(work.stages, work.resume, context)
      : trainOne(work.config, work.resume, context));
  } catch (cause) {
    const error = withResumeCommand(cause, work.stages.length > 0 ? work.resume?.from : undefined);
    // The plan's findings stand above already
    if (options.json !== true && failure.isPlanPrinted === true && isPlanRefusal(error)) {
      terminal.err("Nothing was trained.");
      return 1;
    }
    const { code, message } = error instanceof ThawError ? error : { code: "THAW_UNEXPECTED", message: String(error) };
    const report = await reportOf(failure, logger);
    events.write("error", { code, message, saved: failure.saved, report });
    if (failure.saved !== undefined) advise(goOnLine(failure.saved, trustWord));
    if (report !== undefined) advise(`Report: ${report}`);
    throw error;
  } finally {
    await live?.end("The run is over: this page is its report now. The same is in report.html of the run's folder.");
    stopListening();
    interrupts.stop();
    progress.end();
  }
}

async function findWork(
  configPath: string | undefined,
  { set, resume: from, trust, acceptPlanChange = false, acceptDataChange = false }: TrainOptions,
): Promise<Work> {
  const loadOptions = {
    set,
    requires: "training",
    ...(trust === true ? { trust: "all" as const } : {}),
  } as const;
  if (from === undefined) {
    const config = await loadConfig(configPath, loadOptions);
    return { planning: await planConfig(config), config, stages: config.stages };
  }
  const staged = await stagedRunOf(from);
  if (staged !== undefined) {
    const stages = await loadStageConfigs(staged, loadOptions);
    return {
      planning: await planStages(stages),
      config: stages[0]!.config,
      stages,
      resume: { from: staged, acceptPlanChange, acceptDataChange },
    };
  }
  const config = await loadRunConfig(await runFolderOf(from), loadOptions);
  return {
    planning: await planConfig(config),
    config,
    stages: [],
    resume: { from, acceptPlanChange, acceptDataChange },
  };
}

/** With everything that is named on the hub in the cache, before anything begins. */
async function fetched(work: ComparedWork, watcher: HubWatcher): Promise<ComparedWork> {
  const stages: StageToTrain[] = [];
  for (const { name, config } of work.stages) stages.push({ name, config: await fetchedConfig(config, watcher) });
  return { ...work, config: stages[0]?.config ?? (await fetchedConfig(work.config, watcher)), stages };
}

async function trainOne(
  config: LoadedConfig,
  resume: ResumeOptions | undefined,
  context: TrainContext,
): Promise<number> {
  const parts = await openParts(config);
  try {
    const run = await prepareRun(config, parts, context);
    const trainer = new Trainer({ ...run.options, ...(resume === undefined ? {} : { resume }) });
    context.onTrainer(trainer);
    const summary = await trainer.run();
    const isStopped = context.team !== undefined && summary.isInterrupted;
    if (isStopped || context.interrupts.isInterrupted()) return stoppedRun(summary, summary.runFolder, context);
    if ((context.team?.rank ?? 0) > 0) return 0;
    await finishRun(run, summary, context);
    if (!context.isJson && summary.runFolder !== undefined) context.terminal.out(`Run: ${summary.runFolder}`);
    return 0;
  } finally {
    await parts.close();
  }
}

/** A page on this machine that shows the run as it goes, and can stop it. */
function openLive(
  config: LoadedConfig,
  begun: Pick<Failure, "runFolder">,
  stop: (reason: string) => void,
): Promise<LivePage> {
  return serveLivePage({
    name: titleOf(config.values.runName, config.folder),
    folder: () => begun.runFolder,
    onStop: () => stop("asked on the live page"),
  });
}

/**
 * The report of a run that failed; what else goes wrong with it is told, and not thrown. The folder of a run that
 * failed before it trained is gone again.
 */
async function reportOf({ runFolder }: Failure, logger: Logger): Promise<string | undefined> {
  if (runFolder === undefined || !existsSync(runFolder)) return undefined;
  return writeReport(runFolder).catch((error: unknown) => {
    logger.warn(error instanceof Error ? error.message : String(error));
    return undefined;
  });
}

function isPlanRefusal(error: unknown): boolean {
  return error instanceof ThawError && error.code === "THAW_CORE_PLAN_REFUSED";
}

/** Of a run that goes on: what the config that it was started with says otherwise by now, and what proves its own. */
async function editedSince({ config, stages, resume }: Work): Promise<readonly string[]> {
  if (resume === undefined) return [];
  const configs = stages.length > 0 ? stages.map((stage) => stage.config) : [config];
  const unproven = stages.length > 0 ? undefined : await unprovenLine(await runFolderOf(resume.from));
  const lines = [...(await Promise.all(configs.map(editedConfigLine))), unproven];
  return lines.filter((line) => line !== undefined);
}

async function unprovenLine(folder: string): Promise<string | undefined> {
  if (await checkRunSums(folder)) return undefined;
  const files = "config.json and plan.json";
  return `${folder} has no thaw-manifest.json: nothing proves that its ${files} are as the run wrote them.`;
}

function refuse({ findings }: ConfigPlanning, events: EventWriter, terminal: Terminal): number {
  events.write("refused", { findings });
  const { errorColors: colors, width } = terminal;
  for (const line of [
    ...findingLines(findings, { colors, folder: process.cwd(), width }),
    "",
    verdictLine(findings, colors),
    "Nothing was trained.",
  ])
    terminal.err(line);
  return 1;
}

function readComparedSteps(option: string | true | undefined): number {
  if (option === undefined) return 0;
  if (option === true) return COMPARED_STEPS;
  const steps = Number(option);
  if (!Number.isInteger(steps) || steps < 1)
    throw badOption("--compare-all-trainable", option, "a whole number above 0");
  return steps;
}
