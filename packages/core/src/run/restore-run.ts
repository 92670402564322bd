import { join } from "node:path";
import { nameList } from "@thaw/contracts";
import type { Optimizer } from "../api/optimizer.js";
import { nameDamage, type FoundCheckpoint } from "../checkpoint/read-checkpoint.js";
import { readParameters, readSlots } from "../checkpoint/read-tensors.js";
import { changedOptions, checkResume } from "../checkpoint/resume.js";
import { TRAINED_FILE } from "../checkpoint/write-checkpoint.js";
import { ownedBy } from "../ensemble/sharded-optimizer.js";
import { trainedNames } from "../plan/plan.js";
import type { LoadedModel } from "../model/loaded-model.js";
import type { RunPart } from "./run-part.js";
import type { TrainStep } from "../training/train-step.js";
import type { TrainerParts } from "./trainer-parts.js";

/** What a checkpoint's state goes into. */
export interface RestoredParts {
  readonly parts: TrainerParts;
  readonly loaded: LoadedModel;
  readonly optimizer: Optimizer;
  readonly trainStep: TrainStep;
  /** The run's own, in order. */
  readonly runParts: readonly RunPart[];
}

/** Weights and slots, both compared with plan and optimizer before the first is set. */
async function restoreTensors(
  { folder, state }: FoundCheckpoint,
  { runner }: LoadedModel,
  optimizer: Optimizer,
): Promise<{ readonly carried: ReadonlySet<string>; readonly trained: ReadonlySet<string> }> {
  try {
    const phases = state.plan.phases.filter(({ fromStep }) => fromStep <= state.step);
    const expected = phases.flatMap((phase) => [...trainedNames(phase)]).filter((name) => runner.store.has(name));
    const carried = await readParameters(join(folder, TRAINED_FILE), runner.store, expected);
    const { trained } = runner.enterPhase(Math.max(0, state.step - 1));
    const shapeOf = (name: string): readonly number[] => runner.store.shape(name);
    optimizer.restore(
      await readSlots(folder, { optimizer, trained: ownedBy(optimizer, trained), updates: state.updates, shapeOf }),
    );
    return { carried, trained };
  } catch (error) {
    throw await nameDamage(folder, error);
  }
}

/**
 * Puts back weights, slots, counters and plugin state of a checkpoint, in the phase in which it was made, and returns
 * the names of the parameters that it holds.
 * @throws THAW_CORE_RESUME_MISMATCH, THAW_CORE_RESUME_DATA, THAW_CORE_CHECKPOINT_DAMAGED,
 * THAW_CORE_PARAMETERS_UNFIT
 */
export async function restoreRun(
  checkpoint: FoundCheckpoint,
  { parts, loaded, optimizer, trainStep, runParts }: RestoredParts,
): Promise<ReadonlySet<string>> {
  const { folder, state } = checkpoint;
  const { options, training, logger, hooks } = parts;
  const { context } = loaded;
  const otherData = checkResume(checkpoint, {
    seed: options.seed!,
    sampleCount: options.data!.train!.sampleCount,
    data: options.data!.train!.identity,
    isDataChangeAccepted: options.resume?.acceptDataChange === true,
    training,
    processes: context.ensemble.size,
    optimizer: optimizer.name,
  });
  if (otherData.length > 0)
    logger.warn(
      { changed: otherData },
      `The training data is not what it was when the checkpoint was made; different: ${nameList(otherData)}.`,
    );
  const changed = changedOptions(state, training);
  if (changed.length > 0)
    logger.warn({ changed }, `Options differ from those of the checkpoint: ${changed.join(", ")}.`);
  logger.info(
    { step: state.step, folder, ...(context.runFolder === undefined ? {} : { runFolder: context.runFolder }) },
    checkpoint.continues === undefined
      ? `Branches off after step ${state.step} of ${folder}` +
          `${context.runFolder === undefined ? "" : `, into ${context.runFolder}`}.`
      : `Goes on after step ${state.step}, from ${folder}.`,
  );
  const { carried, trained } = await restoreTensors(checkpoint, loaded, optimizer);
  trainStep.forget(Object.keys(state.updates).filter((name) => !trained.has(name)));
  for (const part of runParts) await part.restore?.(state);
  await hooks.restored.promise(state.plugins, { ...context, epoch: state.position.epoch, step: state.step, folder });
  return carried;
}
