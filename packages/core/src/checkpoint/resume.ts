import type { Finding, Plan } from "@thaw/contracts";
import { baseChanged, resumeDataChanged, resumeMismatch } from "../errors/files.js";
import type { FoundCheckpoint } from "./read-checkpoint.js";
import type { DataPosition, RunState } from "../api/state.js";
import type { ResolvedTrainingOptions } from "../api/options.js";
import { diffPlans, planDiffTable } from "../plan/plan-diff.js";

/** Judges a plan against the checkpoint's: the rule `resume-with-another-plan`, an error unless it was accepted. */
export function judgePlanChange(
  checkpoint: FoundCheckpoint,
  plan: Plan,
  planHash: string,
  isAccepted: boolean,
): readonly Finding[] {
  const { state, folder } = checkpoint;
  if (state.planHash === planHash) return [];
  const table = planDiffTable(diffPlans(state.plan, plan));
  return [
    {
      rule: "resume-with-another-plan",
      severity: isAccepted ? "note" : "error",
      message: `The plan differs from the one that made the checkpoint ${folder}:\n${table}`,
      fix: isAccepted
        ? "As accepted, the run goes on: slots of what now trains are made anew, slots of what no longer trains " +
          "are dropped."
        : "Restore the freeze settings of that run, or accept the change (--accept-plan-change; in a program " +
          "resume.acceptPlanChange): slots are then made and dropped as the table says.",
      settings: [],
    },
  ];
}

/** What a resumed run is made of, as against the run that made the checkpoint. */
export interface ResumedRun {
  readonly seed: number;
  readonly sampleCount: number;
  /** Of the training source, where it tells. */
  readonly data: Readonly<Record<string, string>> | undefined;
  readonly isDataChangeAccepted: boolean;
  readonly training: ResolvedTrainingOptions;
  readonly processes: number;
  readonly optimizer: string;
}

/**
 * What must be equal for a resumed run to see the same data. Returns which of the data differs although the run may go
 * on: images, which may have been repaired, and what was accepted.
 * @throws THAW_CORE_RESUME_MISMATCH, THAW_CORE_RESUME_DATA
 */
export function checkResume(checkpoint: FoundCheckpoint, now: ResumedRun): readonly string[] {
  const { state, folder } = checkpoint;
  const pairs: [string, unknown, unknown][] = [
    ["seed", state.seed, now.seed],
    ["samples of the training set", state.sampleCount, now.sampleCount],
    ["optimizer", state.optimizer, now.optimizer],
    [
      "training.gradientAccumulationSteps times processes",
      microBatchesOf(state.training, state.processes),
      microBatchesOf(now.training, now.processes),
    ],
    ...(["microBatchSize", "shuffle"] as const).map((key): [string, unknown, unknown] => [
      `training.${key}`,
      state.training[key],
      now.training[key],
    ]),
  ];
  const different = pairs
    .filter(([, before, after]) => before !== after)
    .map(([name, before, after]) => `${name} was ${String(before)} and is ${String(after)}`);
  if (different.length > 0) throw resumeMismatch(different, folder);
  const changed = changedData(state.data, now.data);
  const isImage = (what: string): boolean => what.startsWith("images ");
  if (!now.isDataChangeAccepted && !changed.every(isImage))
    throw resumeDataChanged(
      changed.filter((what) => !isImage(what)),
      folder,
    );
  return changed;
}

/** Of a step, of all processes. */
function microBatchesOf({ gradientAccumulationSteps }: ResolvedTrainingOptions, processes = 1): number {
  return gradientAccumulationSteps * processes;
}

/**
 * Where a run begins: at the start, or where its checkpoint was made, counted in rounds of the processes that there are
 * now. A step has the same samples whatever their number, and checkpoints are made between steps.
 */
export function startOf(
  checkpoint: FoundCheckpoint | undefined,
  { gradientAccumulationSteps }: ResolvedTrainingOptions,
): { readonly step: number; readonly position: DataPosition } {
  if (checkpoint === undefined) return { step: 0, position: { epoch: 0, microBatch: 0 } };
  const { step, position, training } = checkpoint.state;
  const stepsOfEpoch = Math.ceil(position.microBatch / training.gradientAccumulationSteps);
  return { step, position: { ...position, microBatch: stepsOfEpoch * gradientAccumulationSteps } };
}

/** Names of what is not what it was; what one side does not know is not compared. */
function changedData(before: RunState["data"] = {}, now: RunState["data"] = {}): readonly string[] {
  return Object.keys(before).filter((what) => now[what] !== undefined && now[what] !== before[what]);
}

/** Options that changed although the run may go on with them, for a warning. */
export function changedOptions(state: RunState, training: ResolvedTrainingOptions): readonly string[] {
  const keys = Object.keys(training) as (keyof ResolvedTrainingOptions)[];
  return keys
    .filter((key) => JSON.stringify(state.training[key]) !== JSON.stringify(training[key]))
    .map((key) => `training.${key}`);
}

/** @throws THAW_CORE_BASE_CHANGED; under another plan other weights are frozen, so there is nothing to compare. */
export function checkBase(checkpoint: FoundCheckpoint, planHash: string, fingerprint: string): void {
  if (checkpoint.state.planHash === planHash && checkpoint.state.baseFingerprint !== fingerprint)
    throw baseChanged(checkpoint.folder);
}
