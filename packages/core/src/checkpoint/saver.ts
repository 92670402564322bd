import { basename } from "node:path";
import type { PlannedContext, StepContext } from "../api/contexts.js";
import { STATE_VERSION, type DataPosition, type RunState } from "../api/state.js";
import type { Optimizer } from "../api/optimizer.js";
import type { TrainerParts } from "../run/trainer-parts.js";
import type { StepDone } from "../training/train-loop.js";
import type { Tensor } from "@tensorflow/tfjs-core";
import { checkpointsOf } from "./read-checkpoint.js";
import type { RunFiles } from "./run-files.js";
import type { RunFolder } from "./run-folder.js";
import type { RunEvent } from "../stream/run-event.js";
import { savingOf, type Saving } from "./saving.js";
import { removeFolder, type SavedTensor } from "./write-checkpoint.js";

/** What a checkpoint is made of. */
export interface SaverInput {
  readonly parts: TrainerParts;
  readonly planned: PlannedContext;
  readonly files: RunFiles;
  readonly optimizer: Optimizer;
  /** What else of the run is kept after so many steps. */
  readonly kept: (step: number) => Partial<RunState>;
  /** After which step the checkpoint is the best one so far. */
  readonly bestStep: () => number | undefined;
  readonly emit: (event: RunEvent) => Promise<void>;
  /** What trained up to a step. */
  readonly trained: (step: number) => ReadonlyMap<string, Tensor>;
}

/** What the parts of a run keep, all of them together. */
type KeptState = Pick<RunState, "baseFingerprint" | "updates" | "evaluation" | "stopRule" | "best" | "totals">;

/** What the optimizer keeps, by name. */
type Slots = ReadonlyMap<string, SavedTensor>;

/** Decides when a run is saved, saves it, and removes checkpoints that newer ones replace. */
export class Saver {
  readonly #input: SaverInput;
  readonly #saving: Saving;
  #savedAt = performance.now();

  constructor(input: SaverInput) {
    this.#input = input;
    this.#saving = savingOf(input.parts.training);
  }

  get files(): RunFiles {
    return this.#input.files;
  }

  /** True if a whole step is followed by a checkpoint; where the run ends by itself, `final/` is written instead. */
  isDue(step: number, { endsEpoch, end }: StepDone): boolean {
    const { everySteps, everyMinutes, atEpochs } = this.#saving;
    if (end?.isInterrupted === true || (everySteps !== undefined && step % everySteps === 0)) return true;
    if (end !== undefined) return false;
    if (this.#input.bestStep() === step) return true;
    const minutes = (performance.now() - this.#savedAt) / 60_000;
    return (atEpochs && endsEpoch) || (everyMinutes !== undefined && minutes >= everyMinutes);
  }

  /** Writes a checkpoint, then removes those that are too old. @throws THAW_CORE_CHECKPOINT_UNWRITABLE */
  async save(context: StepContext, position: DataPosition, slots: Slots): Promise<string> {
    const { files, parts, emit } = this.#input;
    const folder = files.checkpointFolder(context.step);
    const start = performance.now();
    await this.#write(await this.#state(context, position, folder), slots);
    this.#savedAt = performance.now();
    await emit({ event: "checkpoint", step: context.step, folder, durationMs: this.#savedAt - start });
    parts.logger.info({ step: context.step, folder }, `Checkpoint ${folder}.`);
    await this.#removeOld(context.step);
    return folder;
  }

  /**
   * The state of a run that failed. Where a plugin does not give its own, that is left out and said; `place` is another
   * folder than the run's.
   * @throws THAW_CORE_CHECKPOINT_UNWRITABLE
   */
  async saveFailed(
    context: StepContext,
    position: DataPosition,
    { place, unwritten }: { readonly place?: RunFolder; readonly unwritten: RunState["unwritten"] },
  ): Promise<{ readonly folder: string; readonly withoutPlugins?: unknown }> {
    const inRun = this.#input.files.checkpointFolder(context.step);
    const folder = place === undefined ? inRun : place.file(basename(inRun));
    let withoutPlugins: unknown;
    const state = await this.#state(context, position, folder).catch((error: unknown) => {
      withoutPlugins = error;
      return this.#stateWith(context, position, {});
    });
    const { optimizer } = this.#input;
    await this.#write(unwritten === undefined ? state : { ...state, unwritten }, optimizer.slots(), place);
    return { folder, ...(withoutPlugins === undefined ? {} : { withoutPlugins }) };
  }

  async #state(context: StepContext, position: DataPosition, folder: string): Promise<RunState> {
    const plugins = await this.#input.parts.hooks.checkpoint.promise({}, Object.freeze({ ...context, folder }));
    return this.#stateWith(context, position, plugins);
  }

  #stateWith({ step }: StepContext, position: DataPosition, plugins: RunState["plugins"]): RunState {
    const { parts, planned, optimizer, kept } = this.#input;
    const { identity } = parts.options.data!.train!;
    return {
      version: STATE_VERSION,
      step,
      position,
      seed: parts.options.seed!,
      sampleCount: parts.options.data!.train!.sampleCount,
      ...(identity === undefined ? {} : { data: identity }),
      planHash: planned.planHash,
      plan: planned.plan,
      training: parts.training,
      ...(parts.options.processes === undefined ? {} : { processes: parts.options.processes }),
      optimizer: optimizer.name,
      plugins,
      ...(kept(step) as KeptState),
    };
  }

  async #write(state: RunState, slots: Slots, place?: RunFolder): Promise<void> {
    const { files, trained } = this.#input;
    await files.checkpoint(state, trained(state.step), slots, place);
  }

  async #removeOld(step: number): Promise<void> {
    if (!Number.isFinite(this.#saving.keep)) return;
    const { files, parts, bestStep } = this.#input;
    const known = await checkpointsOf(files.folder.path);
    const newest = known.indexOf(files.checkpointFolder(step));
    const best = bestStep();
    const old = known.slice(0, Math.max(0, newest + 1 - this.#saving.keep));
    for (const folder of old.filter((one) => best === undefined || one !== files.checkpointFolder(best)))
      await removeFolder(folder).catch((error: unknown) => {
        parts.logger.warn({ folder, error }, `The old checkpoint ${folder} could not be removed.`);
      });
  }
}
