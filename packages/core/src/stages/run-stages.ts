import type { Finding } from "@thaw/contracts";
import { stagesInvalid, stagesMismatch } from "../errors/files.js";
import { planRefused } from "../errors/options.js";
import type { PlannedContext } from "../api/contexts.js";
import { checkRunOptions } from "../run/check-run.js";
import type { RunSummary } from "../api/summary.js";
import { agree, ALONE, type Ensemble } from "../ensemble/ensemble.js";
import { lostBy } from "../errors/ensemble.js";
import { Trainer } from "../run/trainer.js";
import type { ResumeOptions } from "../api/run-options.js";
import type { TrainerOptions } from "../api/trainer-options.js";
import { handoverFindings, stageFinding, type PlannedStage } from "./handover.js";
import { isAnyStopped, shareRun, trainsWith } from "./together.js";
import {
  createStagedRun,
  readStagedRun,
  stageState,
  trainedFile,
  type StagedRun,
  type StageRecord,
} from "./stages-file.js";

/** A trainer's options, without those that the staged run decides. The first stage may start from another run. */
export type StageOptions = Omit<TrainerOptions, "output" | "runName" | "runFolder" | "resume">;

/** A stage that was opened: what it trains with, and what to close afterwards. */
export interface OpenStage {
  readonly options: StageOptions;
  close?(): Promise<void>;
}

/** One stage of a staged run. */
export interface Stage {
  /** Unique; its folder is `<number>-<name>`. */
  readonly name: string;
  /** Opens model and data. Called once to plan, before the first stage starts, and once to run; both are closed. */
  open(purpose: "plan" | "run"): Promise<OpenStage>;
}

/** What is told before a stage runs. */
export interface StageContext {
  readonly name: string;
  /** From 0. */
  readonly index: number;
  readonly count: number;
  readonly trainer: Trainer;
  readonly isResumed: boolean;
  /** The folder of the whole run. */
  readonly runFolder: string;
}

/** A staged run. Among several processes each calls, with the same stages; rank 0 makes the folder, which all see. */
export interface StagesOptions {
  readonly stages: readonly Stage[];
  /** Folder in which the run's folder is made; parameters are handed over by its files. */
  readonly output: string;
  readonly runName?: string;
  /** `from`: the folder of a staged run. Finished stages are not run again. */
  readonly resume?: ResumeOptions;
  /** Connects the processes that train all stages together, once they are planned. Absent: this one alone. */
  readonly connect?: () => Promise<Ensemble>;
  readonly onStage?: (stage: StageContext) => void;
  /** After a stage that was not stopped, its model and data still open. */
  readonly afterStage?: (stage: StageContext, summary: RunSummary) => Promise<void>;
}

/** What a staged run did. */
export interface StagesSummary {
  readonly runFolder: string;
  /** Those that were reached; a stage that an earlier call finished has no summary. */
  readonly stages: readonly { readonly name: string; readonly folder: string; readonly summary?: RunSummary }[];
  /** True if `Trainer.stop` ended it before its end: it can be resumed. */
  readonly isInterrupted: boolean;
}

/**
 * Trains in stages: each begins with what all before it trained. All are planned before the first one starts, so that a
 * mistake in the last one costs nothing. @throws THAW_CORE_STAGES_INVALID, THAW_CORE_STAGES_MISMATCH,
 * THAW_CORE_PLAN_REFUSED with the findings of all stages, THAW_CORE_RANKS_DIFFER, and what a run throws
 */
export async function runStages(options: StagesOptions): Promise<StagesSummary> {
  const names = options.stages.map(({ name }) => name);
  checkNames(names);
  const known = options.resume === undefined ? undefined : await readStagedRun(options.resume.from);
  if (known !== undefined && JSON.stringify(known.stages.map(({ name }) => name)) !== JSON.stringify(names))
    throw stagesMismatch(
      known.folder.path,
      known.stages.map(({ name }) => name),
      names,
    );
  const records = await planStages(options, known);
  const ensemble = (await options.connect?.()) ?? ALONE;
  try {
    return await runOpened(options, ensemble, records, known);
  } catch (error) {
    await ensemble.close(lostBy(error, ensemble.rank));
    throw error;
  } finally {
    await ensemble.close();
  }
}

async function runOpened(
  options: StagesOptions,
  ensemble: Ensemble,
  records: readonly StageRecord[],
  known: StagedRun | undefined,
): Promise<StagesSummary> {
  const { output, runName = "run" } = options;
  const run = await shareRun(ensemble, records, async () => known ?? createStagedRun(output, runName, records));
  try {
    return await runAll(options, run, ensemble);
  } catch (error) {
    if (ensemble.rank > 0) throw error;
    const begun = await Promise.all(run.stages.map((stage) => stageState(run, stage)));
    if (begun.every(({ state }) => state === "waiting")) await run.folder.discard();
    throw error;
  }
}

function checkNames(names: readonly string[]): void {
  if (names.length === 0) throw stagesInvalid("There is no stage", "Give at least one.");
  const bad = names.find((name) => !/^[\w][\w.-]*$/.test(name));
  if (bad !== undefined)
    throw stagesInvalid(
      `${JSON.stringify(bad)} cannot name a stage`,
      "Use letters, digits, dots, dashes and underscores; folders are named after stages.",
    );
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw stagesInvalid(`Two stages are named ${twice}`, "Give them different names.");
}

/** Plans every stage, and refuses all where one has an error. */
async function planStages(
  { stages, resume }: StagesOptions,
  known: StagedRun | undefined,
): Promise<readonly StageRecord[]> {
  const planned: PlannedStage[] = [];
  const records: StageRecord[] = [];
  const findings: Finding[] = [];
  for (const [index, stage] of stages.entries()) {
    const open = await stage.open("plan");
    try {
      const trainer = new Trainer(open.options);
      checkRunOptions(trainer);
      const result = await trainer.plan();
      planned.push({ name: stage.name, planned: result });
      records.push({
        name: stage.name,
        folder: `${index + 1}-${stage.name}`,
        planHash: result.planHash,
        config: open.options.config,
      });
      findings.push(...result.findings.map((finding) => stageFinding(stage.name, finding)));
      if (known !== undefined && resume?.acceptPlanChange !== true)
        findings.push(...(await planChange(known, known.stages[index]!, result)));
    } finally {
      await open.close?.();
    }
  }
  findings.push(...handoverFindings(planned));
  if (findings.some(({ severity }) => severity === "error")) throw planRefused(findings);
  return records;
}

/**
 * A finished stage is not run again, so its plan cannot change; one that goes on is compared with its checkpoint when
 * it runs.
 */
async function planChange(
  run: StagedRun,
  record: StageRecord,
  { planHash }: PlannedContext,
): Promise<readonly Finding[]> {
  const isFinished = (await stageState(run, record)).state === "finished";
  if (!isFinished || record.planHash === planHash) return [];
  return [
    {
      rule: "resume-with-another-plan",
      severity: "error",
      settings: [],
      message:
        `Stage ${record.name}: it was finished under the plan ${record.planHash.slice(0, 12)}, and is planned as ` +
        `${planHash.slice(0, 12)} now.`,
      fix:
        "Restore the freeze settings of that run, or accept the change (--accept-plan-change; in a program " +
        "resume.acceptPlanChange): what the stage trained stays as it is.",
    },
  ];
}

async function runAll(options: StagesOptions, run: StagedRun, ensemble: Ensemble): Promise<StagesSummary> {
  const done: { readonly name: string; readonly folder: string; readonly summary?: RunSummary }[] = [];
  let handedOver: string | undefined;
  for (const [index, stage] of options.stages.entries()) {
    const own = ensemble.rank === 0 ? await stageState(run, run.stages[index]!) : undefined;
    const { state, folder } = (await agree(ensemble, own))!;
    if (state === "finished") done.push({ name: stage.name, folder });
    else {
      const open = await stage.open("run");
      try {
        const resume = state === "begun" ? { resume: { ...options.resume, from: folder } } : { runFolder: folder };
        const trainer = new Trainer({
          ...open.options,
          ...(ensemble.size === 1
            ? {}
            : { processes: ensemble.size, plugins: [...(open.options.plugins ?? []), trainsWith(ensemble)] }),
          ...resume,
          ...(handedOver === undefined ? {} : { startFrom: handedOver }),
        });
        const context = {
          name: stage.name,
          index,
          count: options.stages.length,
          trainer,
          isResumed: state === "begun",
          runFolder: run.folder.path,
        };
        options.onStage?.(context);
        const summary = await trainer.run();
        done.push({ name: stage.name, folder, summary });
        if (!summary.isInterrupted) await options.afterStage?.(context, summary);
        const isLast = index === options.stages.length - 1;
        if (summary.isInterrupted || (!isLast && (await isAnyStopped(ensemble, trainer.stopReason))))
          return { runFolder: run.folder.path, stages: done, isInterrupted: true };
      } finally {
        await open.close?.();
      }
    }
    handedOver = trainedFile(folder);
  }
  return { runFolder: run.folder.path, stages: done, isInterrupted: false };
}
