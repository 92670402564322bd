import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { causeText, ThawError } from "@thaw/contracts";
import type { AfterStepContext, StepContext } from "../api/contexts.js";
import type { SavedState } from "../api/summary.js";
import type { Optimizer } from "../api/optimizer.js";
import type { Logger } from "../api/logger.js";
import type { DataPosition } from "../api/state.js";
import { checkpointsOf } from "../checkpoint/read-checkpoint.js";
import { RunFolder } from "../checkpoint/run-folder.js";
import { ShardedOptimizer } from "../ensemble/sharded-optimizer.js";
import { stepEvent } from "../stream/make-events.js";
import type { MetricsLine } from "../stream/metrics-line.js";
import { make } from "../errors/make.js";
import type { Saver } from "../checkpoint/saver.js";
import type { ModelRunner } from "../model/model-runner.js";
import type { TrainStep } from "../training/train-step.js";

/** A run that failed, as far as its last whole step. */
export interface FailedRun {
  readonly saver: Saver;
  readonly trainStep: TrainStep;
  readonly optimizer: Optimizer;
  readonly runner: ModelRunner;
  readonly logger: Logger;
  readonly context: StepContext;
  readonly position: DataPosition;
  /** The last whole step, if no line of `metrics.jsonl` tells of it yet. */
  readonly unwritten: AfterStepContext | undefined;
}

/** What became of a run that failed: one sentence, and where its state is. */
export interface Rescue {
  readonly text: string;
  readonly saved?: SavedState;
}

/**
 * Saves the state after the last whole step of a run that failed, in its folder or, where that cannot be written, in
 * the system's folder for temporary files. Never throws.
 */
export async function rescueRun(run: FailedRun, error: unknown): Promise<Rescue> {
  const { saver, context, position, logger } = run;
  const { files } = saver;
  const { step } = context;
  const { finalFolder } = files;
  if (finalFolder !== undefined)
    return { text: `What trained is whole, in ${finalFolder}.`, saved: { step, folder: finalFolder } };
  const spoilt = await spoiltBy(run, error);
  if (spoilt !== undefined) return lost(run, spoilt);
  const lines = run.unwritten === undefined ? [] : [stepEvent(run.unwritten)];
  const unwritten: readonly MetricsLine[] | undefined =
    lines.length === 0
      ? undefined
      : await files.lines(lines).then(
          () => undefined,
          () => lines,
        );
  const inRun = files.checkpointFolder(step);
  try {
    const { withoutPlugins } = await saver.saveFailed(context, position, { unwritten });
    return {
      text: `The state after step ${step} is saved in ${inRun}${without(withoutPlugins)}.`,
      saved: { step, folder: inRun },
    };
  } catch (cause) {
    logger.debug({ error: cause }, `The checkpoint ${inRun} could not be written.`);
    if (!isOfDisk(cause)) return lost(run, causeText(cause));
    return elsewhere(run, unwritten, cause);
  }
}

/** An error with what became of the run in its message and details. Errors of others than Thaw stay as they are. */
export function withRescue(error: unknown, { text, saved }: Rescue): unknown {
  if (!(error instanceof ThawError)) return error;
  const details = { ...error.details, ...(saved === undefined ? {} : { saved }) };
  const result = make(error.code, `${error.message} ${text}`, details, error.cause);
  if (error.stack !== undefined) result.stack = error.stack.replace(error.message, () => result.message);
  return result;
}

/** Why the values that are in memory are of no use; undefined where they are. */
async function spoiltBy(
  { trainStep, optimizer, runner, context }: FailedRun,
  error: unknown,
): Promise<string | undefined> {
  if (trainStep.isTorn) return "the error came in the middle of an update";
  if (optimizer instanceof ShardedOptimizer)
    return "each process keeps a share of the optimizer's state (zero_stage), and they work together no more";
  const code = error instanceof ThawError ? error.code : undefined;
  if (code === "THAW_CORE_FROZEN_MOVED") return "it was trained beside weights that moved";
  if (code === undefined || !NOT_FINITE.includes(code) || trainStep.proven === undefined) return undefined;
  // Was it the new samples, or did the update before them spoil the weights?
  const { lossSum } = await runner.loss(trainStep.proven, context.step).catch(() => ({ lossSum: Number.NaN }));
  return Number.isFinite(lossSum) ? undefined : "its loss is not finite on samples that had one before the last update";
}

/** After these, the weights themselves may be what is wrong. */
const NOT_FINITE: readonly string[] = ["THAW_CORE_NOT_FINITE", "THAW_CORE_EVALUATION_NOT_FINITE"];

async function elsewhere(
  run: FailedRun,
  unwritten: readonly MetricsLine[] | undefined,
  cause: unknown,
): Promise<Rescue> {
  const { saver, context, position } = run;
  const { files } = saver;
  const { step } = context;
  const belongsTo = files.checkpointFolder(step);
  let place: string | undefined;
  try {
    place = await mkdtemp(join(tmpdir(), `thaw-${basename(files.folder.path)}-`));
    const { folder, withoutPlugins } = await saver.saveFailed(context, position, {
      unwritten,
      place: new RunFolder(place, true),
    });
    return {
      text:
        `The run folder cannot be written, so the state after step ${step} is saved in ${folder}` +
        `${without(withoutPlugins)}: make room and move it to ${belongsTo}.`,
      saved: { step, folder, belongsTo },
    };
  } catch {
    if (place !== undefined) await rm(place, { recursive: true, force: true }).catch(() => undefined);
    return lost(run, causeText(cause));
  }
}

/** A checkpoint of this very step holds the state that is not worth saving. */
async function lost({ saver: { files }, context }: FailedRun, reason: string): Promise<Rescue> {
  const own = files.checkpointFolder(context.step);
  const newest = (await checkpointsOf(files.folder.path)).findLast((folder) => folder !== own);
  const rest = newest === undefined ? "The run has no checkpoint" : `The newest checkpoint is ${newest}`;
  return { text: `The state after step ${context.step} is not saved: ${reason}. ${rest}.` };
}

function without(error: unknown): string {
  return error === undefined ? "" : ` without what plugins keep (${causeText(error)})`;
}

/** True for what the file system said, as against what is wrong with the state itself. */
function isOfDisk(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause)
    if (typeof (cause as NodeJS.ErrnoException).syscall === "string") return true;
  return false;
}
