import { setImmediate } from "node:timers/promises";
import { expectPasses } from "@thaw/autograd";
import type { Batch, BatchSource } from "@thaw/contracts";
import { noBatches } from "../errors/passes.js";
import type { AfterStepContext, EpochContext, RunContext, StepContext, StopDecision } from "../api/contexts.js";
import type { TrainerHooks } from "../api/hooks.js";
import { agree, type Ensemble } from "../ensemble/ensemble.js";
import { rankBatches } from "../ensemble/shard.js";
import type { SharedStop } from "../ensemble/shared-stop.js";
import type { HookWatch } from "../run/intercept.js";
import type { ResolvedTrainingOptions } from "../api/options.js";
import type { DataPosition } from "../api/state.js";
import { isPhaseEdge } from "../model/phase.js";
import { markLast, type MarkedItem } from "./micro-batches.js";
import type { TrainStep } from "./train-step.js";

/** Why a loop ended. */
export interface LoopEnd {
  readonly reason: string;
  /** By `Trainer.stop`. */
  readonly isInterrupted: boolean;
}

/** What the loop calls at its edges. */
export interface LoopEvents {
  enterPhase(step: number): Promise<void>;
  /** Right after the update, before any plugin is told. */
  stepMade(context: AfterStepContext): void;
  /** After the hook `afterStep`: the step's event and evaluations. */
  afterStep(context: AfterStepContext): Promise<void>;
  /** After everything else of the step: checkpoints. */
  stepDone(context: StepContext, position: DataPosition, done: StepDone): Promise<void>;
}

/** What a whole step is the last one of. */
export interface StepDone {
  readonly endsEpoch: boolean;
  /** Absent: the run goes on. */
  readonly end: LoopEnd | undefined;
}

/** What a loop needs of a run. */
export interface TrainLoopInput {
  readonly hooks: TrainerHooks;
  readonly watch: HookWatch;
  readonly context: RunContext;
  readonly training: ResolvedTrainingOptions;
  readonly source: BatchSource;
  readonly seed: number;
  readonly trainStep: TrainStep;
  readonly ensemble: Ensemble;
  readonly events: LoopEvents;
  /** Of `training.stopWhen`, after the step's evaluations. */
  readonly stopDecision: () => StopDecision | undefined;
  /** Whether `Trainer.stop` was called, on any rank. */
  readonly stop: SharedStop;
  /** Throws what `Trainer.fail` was told, once it was called. */
  readonly throwFailure: () => void;
  /** Most bytes in tensors since the last call. */
  readonly peakBytes: () => number;
  readonly start: { readonly step: number; readonly position: DataPosition };
}

/** Epochs, steps and micro-batches in order, with their hooks. */
export class TrainLoop {
  readonly #input: TrainLoopInput;
  #stepsDone: number;
  #position: DataPosition;
  #end: LoopEnd | undefined;
  #startMs = 0;
  /** Micro-batches of the step under way. */
  #inStep = 0;
  /** Waited for batches of the step under way. */
  #loadMs = 0;

  constructor(input: TrainLoopInput) {
    this.#input = input;
    this.#stepsDone = input.start.step;
    this.#position = input.start.position;
  }

  get stepsDone(): number {
    return this.#stepsDone;
  }

  get position(): DataPosition {
    return this.#position;
  }

  /** @throws THAW_CORE_NO_BATCHES and whatever steps, data and plugins throw */
  async run(): Promise<LoopEnd> {
    this.#checkEnd(undefined);
    while (this.#end === undefined) await this.#epoch();
    this.#input.throwFailure();
    return this.#end;
  }

  async #epoch(): Promise<void> {
    const { hooks, context, training, source, seed, ensemble } = this.#input;
    const { epoch, microBatch: skip } = this.#position;
    const epochContext: EpochContext = Object.freeze({ ...context, epoch });
    await hooks.beforeEpoch.promise(epochContext);
    const { microBatchSize, shuffle } = training;
    let done = skip;
    const order = { epoch, seed, microBatchSize, shuffle, skip };
    let askedMs = performance.now();
    for await (const marked of markLast(rankBatches(source, order, ensemble))) {
      done += 1;
      this.#loadMs += performance.now() - askedMs;
      const ended = await this.#microBatch(marked, { epoch, microBatch: done });
      if (ended || this.#end !== undefined) return;
      askedMs = performance.now();
    }
    if (done === 0) throw noBatches(source.name);
    // Everything was skipped: a source that is shorter now than when the checkpoint was made
    this.#position = { epoch: epoch + 1, microBatch: 0 };
    this.#checkEnd(undefined);
  }

  /** True if the epoch ends with this micro-batch. */
  async #microBatch({ item, isLast }: MarkedItem<Batch>, position: DataPosition): Promise<boolean> {
    const { hooks, watch, context, trainStep, training, events, throwFailure, ensemble } = this.#input;
    throwFailure();
    const stepContext: StepContext = Object.freeze({ ...context, epoch: position.epoch, step: this.#stepsDone });
    if (this.#inStep === 0) {
      this.#startMs = performance.now();
      this.#input.peakBytes();
      watch.step = this.#stepsDone;
      if (isPhaseEdge(context.plan, this.#stepsDone)) await events.enterPhase(this.#stepsDone);
      await hooks.beforeStep.promise(stepContext);
    }
    const stepsLeft = context.totalSteps - this.#stepsDone;
    expectPasses(stepsLeft * training.gradientAccumulationSteps - this.#inStep, ensemble.size);
    this.#inStep += 1;
    const isFull = this.#inStep === training.gradientAccumulationSteps;
    if (item.batchSize > 0 || ensemble.size === 1) await trainStep.addMicroBatch(item, this.#stepsDone, isFull);
    else trainStep.skipMicroBatch();
    await setImmediate();
    const askedMs = performance.now();
    const isLastOfEpoch = await isLast();
    this.#loadMs += performance.now() - askedMs;
    if (!isLastOfEpoch && !isFull) return false;
    this.#inStep = 0;
    return this.#finishStep(stepContext, position, isLastOfEpoch);
  }

  async #finishStep(stepContext: StepContext, position: DataPosition, isLastOfEpoch: boolean): Promise<boolean> {
    const { hooks, context, trainStep, events, stop, stopDecision, ensemble, peakBytes } = this.#input;
    const { times, ...result } = await trainStep.finish(stepContext);
    const after: AfterStepContext = Object.freeze({
      ...stepContext,
      ...result,
      durationMs: performance.now() - this.#startMs,
      times: { loadMs: this.#loadMs, ...times },
      peakBytes: peakBytes(),
    });
    this.#loadMs = 0;
    this.#stepsDone += 1;
    this.#position = isLastOfEpoch ? { epoch: position.epoch + 1, microBatch: 0 } : position;
    events.stepMade(after);
    await hooks.afterStep.promise(after);
    await events.afterStep(after);
    const decision = await agree(ensemble, hooks.shouldStop.call(after) ?? stopDecision());
    const endsEpoch = isLastOfEpoch || decision?.stop === "epoch";
    this.#position = endsEpoch ? { epoch: position.epoch + 1, microBatch: 0 } : position;
    this.#checkEnd(decision);
    if (endsEpoch || (this.#end !== undefined && !this.#end.isInterrupted))
      await hooks.afterEpoch.promise(Object.freeze({ ...context, epoch: position.epoch }));
    if (stop.reason !== undefined) this.#checkEnd(decision);
    await events.stepDone({ ...stepContext, step: this.#stepsDone }, this.#position, { endsEpoch, end: this.#end });
    return endsEpoch;
  }

  #checkEnd(decision: StopDecision | undefined): void {
    if (this.#end !== undefined) return;
    const { context, training, stop } = this.#input;
    const steps = this.#stepsDone;
    if (steps >= context.totalSteps)
      this.#end = { reason: `all ${context.totalSteps} steps are done`, isInterrupted: false };
    else if (training.epochs !== undefined && this.#position.epoch >= training.epochs)
      this.#end = { reason: `${this.#position.epoch} epochs are done`, isInterrupted: false };
    else if (decision?.stop === "run") this.#end = { reason: decision.reason, isInterrupted: false };
    else if (stop.reason !== undefined) this.#end = { reason: stop.reason, isInterrupted: true };
  }
}
