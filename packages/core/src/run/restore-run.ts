import { join } from "node:path";
import type { Optimizer } from "../api/optimizer.js";
import { readSlots, readTrained, type FoundCheckpoint } from "../checkpoint/read-checkpoint.js";
import { changedOptions, checkResume } from "../checkpoint/resume.js";
import { TRAINED_FILE } from "../checkpoint/write-checkpoint.js";
import type { RunFiles } from "../checkpoint/run-files.js";
import type { Evaluation } from "../evaluation/evaluation.js";
import type { LoadedModel } from "../model/loaded-model.js";
import type { StopRule } from "../training/stop-rule.js";
import type { TrainStep } from "../training/train-step.js";
import type { TrainerParts } from "./trainer-parts.js";

/** What a checkpoint's state goes into. */
export interface RestoredParts {
  readonly parts: TrainerParts;
  readonly loaded: LoadedModel;
  readonly optimizer: Optimizer;
  readonly trainStep: TrainStep;
  readonly evaluation: Evaluation;
  readonly stopRule: StopRule;
  readonly files: RunFiles | undefined;
}

/**
 * Puts back weights, slots, counters and plugin state of a checkpoint, in the phase in which it was made, and returns
 * the names of the parameters that it holds.
 * @throws THAW_CORE_RESUME_MISMATCH, THAW_CORE_CHECKPOINT_BROKEN
 */
export async function restoreRun(
  checkpoint: FoundCheckpoint,
  { parts, loaded, optimizer, trainStep, evaluation, stopRule, files }: RestoredParts,
): Promise<ReadonlySet<string>> {
  const { folder, state } = checkpoint;
  const { options, training, logger, hooks } = parts;
  const { runner, context } = loaded;
  checkResume(checkpoint, {
    seed: options.seed!,
    sampleCount: options.data!.train!.sampleCount,
    training,
    optimizer: optimizer.name,
  });
  const changed = changedOptions(state, training);
  if (changed.length > 0)
    logger.warn({ changed }, `Options differ from those of the checkpoint: ${changed.join(", ")}.`);
  const carried = new Set<string>();
  await readTrained(join(folder, TRAINED_FILE), (name, values) => {
    runner.store.set(name, values);
    carried.add(name);
  });
  const { trained } = runner.enterPhase(Math.max(0, state.step - 1));
  optimizer.restore(await readSlots(folder, (slot) => trained.has(slot.slice(0, slot.lastIndexOf("/")))));
  trainStep.forget(Object.keys(state.updates).filter((name) => !trained.has(name)));
  evaluation.restore(state.evaluation);
  if (state.stopRule !== undefined) stopRule.restore(state.stopRule);
  await files?.lines(state.unwritten ?? []);
  await hooks.restored.promise(state.plugins, { ...context, epoch: state.position.epoch, step: state.step, folder });
  return carried;
}
