import type { FoundCheckpoint } from "../checkpoint/read-checkpoint.js";
import type { DataPosition, RunTotals } from "../api/state.js";
import type { AfterStepContext, PlannedContext, RunContext, StepContext } from "../api/contexts.js";
import { makeOptimizer } from "../optimize/make-optimizer.js";
import type { Optimizer } from "../api/optimizer.js";
import { phaseAt, trainedNames } from "../plan/plan.js";
import { runLength } from "../plan/run-length.js";
import type { RunSummary } from "../api/summary.js";
import { lostAfter, lostBy } from "../errors/ensemble.js";
import { compareTrained, compareWeights, joinRun, type JoinedRun } from "../ensemble/join-run.js";
import { RunProgress } from "./run-progress.js";
import { deadGradientFacts } from "./tap-facts.js";
import type { TrainerParts } from "./trainer-parts.js";
import { activationMemoryBytes, Checkpointing } from "../training/checkpointing.js";
import { DeadGradients, warnOfDeadGradients } from "../training/dead-gradients.js";
import { Evaluation } from "../evaluation/evaluation.js";
import { FrozenGuard } from "../weights/frozen-guard.js";
import { loadModel, type LoadedModel } from "../model/loaded-model.js";
import { checkBase, startOf } from "../checkpoint/resume.js";
import { rescueRun, type Rescue } from "./rescue.js";
import { restoreRun } from "./restore-run.js";
import { checkSpace } from "../checkpoint/disk-space.js";
import { RunFiles } from "../checkpoint/run-files.js";
import { Saver } from "../checkpoint/saver.js";
import { RunnerSession } from "../evaluation/runner-session.js";
import { StepMetrics } from "./step-metrics.js";
import { checkTrained } from "../training/not-finite.js";
import { StopRule } from "../training/stop-rule.js";
import { summarize } from "./summarize.js";
import { TrainLoop, type LoopEnd } from "../training/train-loop.js";
import { TrainStep } from "../training/train-step.js";

/** What a run starts from, beside the trainer. */
export interface TrainingRunInput {
  readonly parts: TrainerParts;
  readonly planned: PlannedContext;
  readonly checkpoint: FoundCheckpoint | undefined;
  readonly stopReason: () => string | undefined;
  /** Throws what `Trainer.fail` was told. */
  readonly throwFailure: () => void;
}

/** One run from the fixed plan to the summary. `dispose` frees everything, whatever happened. */
export class TrainingRun {
  readonly #input: TrainingRunInput;
  readonly #parts: TrainerParts;
  readonly #planned: PlannedContext;
  readonly #checkpoint: FoundCheckpoint | undefined;
  #joined: JoinedRun | undefined;
  #files: RunFiles | undefined;
  #loaded: LoadedModel | undefined;
  #optimizer: Optimizer | undefined;
  #trainStep: TrainStep | undefined;
  #checkpointing: Checkpointing | undefined;
  #loop: TrainLoop | undefined;
  #saver: Saver | undefined;
  /** A whole step whose line is not written yet. */
  #made: AfterStepContext | undefined;
  readonly #dead: DeadGradients;
  readonly #stopRule: StopRule;
  #carried: ReadonlySet<string> = new Set();
  readonly #progress: RunProgress;
  readonly #metrics: StepMetrics;

  constructor(input: TrainingRunInput) {
    const { parts, planned, checkpoint } = input;
    this.#input = input;
    this.#parts = parts;
    this.#planned = planned;
    this.#checkpoint = checkpoint;
    this.#stopRule = new StopRule(parts.training.stopWhen);
    this.#dead = new DeadGradients(parts.training.deadGradientSteps, deadGradientFacts(parts, planned));
    this.#metrics = new StepMetrics(parts);
    this.#progress = new RunProgress(checkpoint?.state.totals);
  }

  async run(): Promise<RunSummary> {
    const { hooks, options, training } = this.#parts;
    const source = options.data!.train!;
    const joined = (this.#joined = await joinRun(this.#input));
    const { ensemble } = joined;
    const start = startOf(this.#checkpoint, training);
    if (ensemble.rank === 0)
      this.#files = await RunFiles.open(this.#parts, this.#planned, this.#checkpoint?.continues, start.step);
    const totalSteps = runLength(source, training, ensemble.size).totalSteps!;
    await checkSpace(this.#files?.folder.path, this.#planned, totalSteps, this.#parts.logger);
    const loaded = await loadModel(this.#parts, this.#planned, {
      runFolder: this.#files?.folder.path,
      totalSteps,
      ensemble,
      isStatic: false,
      hasCheckpoint: this.#checkpoint !== undefined,
    });
    this.#loaded = loaded;
    this.#carried = loaded.started;
    const { runner, context } = loaded;
    const { optimizer, optimizerPlugin } = makeOptimizer(this.#parts, this.#planned, loaded.backend);
    this.#optimizer = optimizer;
    await hooks.initialize.promise(context);
    this.#checkpointing = new Checkpointing({
      choice: training.activationCheckpointing,
      planned: this.#planned,
      memoryBytes: activationMemoryBytes(loaded.backend),
    });
    this.#trainStep = new TrainStep({
      hooks,
      runner,
      training,
      optimizer,
      totalSteps,
      ...joined,
      optimizerPlugin,
      deadGradients: this.#dead,
      onDead: (found) => warnOfDeadGradients(found, this.#parts.logger),
      updates: this.#checkpoint?.state.updates,
      checkpointed: (batch) => this.#checkpointing!.choose(runner.phase, batch),
    });
    const evaluation = this.#makeEvaluation(loaded, () => loop.stepsDone);
    const buffers = this.#planned.model.buffers?.map(({ name }) => name);
    const guard = new FrozenGuard((name) => runner.store.hash(name, { isFresh: true }), buffers);
    const loop = (this.#loop = this.#makeLoop(loaded, guard, evaluation, start));
    this.#saver = this.#makeSaver(optimizer, evaluation);
    if (this.#checkpoint !== undefined) {
      const state = { optimizer, trainStep: this.#trainStep, evaluation, stopRule: this.#stopRule, files: this.#files };
      this.#carried = await restoreRun(this.#checkpoint, { parts: this.#parts, loaded, ...state });
    }
    await guard.enter(runner.phase.plan);
    this.#saver?.notePhase(start.step, guard.fingerprint());
    if (this.#checkpoint !== undefined) checkBase(this.#checkpoint, this.#planned.planHash, guard.fingerprint());
    await compareWeights(ensemble, loaded, guard.fingerprint());
    await hooks.beforeRun.promise(context);
    await evaluation.run(start.step === 0 ? "start" : "step", this.#stepContext(start.step, start.position));
    const end = await loop.run().catch((error: unknown) => {
      throw lostAfter(error, loop.stepsDone);
    });
    return this.#finish(loaded, loop, end, evaluation, guard);
  }

  /**
   * After a failure: tells other ranks, and saves the state after the last whole step, if this run made one and writes
   * a folder. Undefined where there is nothing to say.
   */
  async rescue(error: unknown): Promise<Rescue | undefined> {
    const { ensemble } = this.#joined ?? {};
    await ensemble?.close(lostBy(error, ensemble.rank));
    const [saver, loop] = [this.#saver, this.#loop];
    if (saver === undefined || loop === undefined || !this.#progress.hasTrained) return undefined;
    const failed = { saver, trainStep: this.#trainStep!, runner: this.#loaded!.runner, logger: this.#parts.logger };
    const { position } = loop;
    const context = this.#stepContext(loop.stepsDone, position);
    return rescueRun({ ...failed, context, position, unwritten: this.#made }, error);
  }

  /** Frees tensors and closes files; removes the folder of a run that never made a step. */
  async dispose(hasFailed: boolean): Promise<void> {
    await this.#joined?.ensemble.close();
    this.#trainStep?.clear();
    this.#optimizer?.dispose();
    this.#loaded?.dispose();
    await this.#files?.close();
    if (hasFailed && !this.#progress.hasTrained) await this.#files?.folder.discard();
  }

  #makeSaver(optimizer: Optimizer, evaluation: Evaluation): Saver | undefined {
    if (this.#files === undefined) return undefined;
    return new Saver({
      parts: this.#parts,
      planned: this.#planned,
      files: this.#files,
      optimizer,
      trainStep: this.#trainStep!,
      evaluation,
      stopRule: this.#stopRule,
      trained: (step) => this.#trainedTensors(step),
      totals: () => this.#totalsNow(),
    });
  }

  #makeEvaluation(loaded: LoadedModel, stepsDone: () => number): Evaluation {
    const { hooks, options, training } = this.#parts;
    return new Evaluation({
      hooks,
      training,
      seed: options.seed!,
      session: new RunnerSession(loaded.runner, loaded.backend, stepsDone),
      sources: options.data?.evaluation ?? {},
      evaluators: options.evaluators ?? [],
      ...this.#joined!,
      record: async (context) => {
        this.#stopRule.observe(context);
        await this.#files?.evaluated(context);
      },
    });
  }

  #makeLoop(
    loaded: LoadedModel,
    guard: FrozenGuard,
    evaluation: Evaluation,
    start: ReturnType<typeof startOf>,
  ): TrainLoop {
    const { hooks, watch, options, training } = this.#parts;
    return new TrainLoop({
      hooks,
      watch,
      training,
      start,
      context: loaded.context,
      source: options.data!.train!,
      seed: options.seed!,
      trainStep: this.#trainStep!,
      ...this.#joined!,
      throwFailure: this.#input.throwFailure,
      stopDecision: () => this.#stopRule.decision,
      events: {
        enterPhase: async (step) => this.#enterPhase(loaded, guard, step),
        stepMade: (context) => {
          this.#made = context;
          this.#progress.step(context);
        },
        afterStep: async (context) => this.#afterStep(context, evaluation),
        stepDone: async (context, position, done) => {
          if (this.#saver?.isDue(context.step, done) === true) await this.#saver.save(context, position);
        },
      },
    });
  }

  async #enterPhase({ runner }: LoadedModel, guard: FrozenGuard, step: number): Promise<void> {
    const before = runner.phase.trained;
    await guard.enter(phaseAt(this.#planned.plan, step));
    this.#saver?.notePhase(step + 1, guard.fingerprint());
    const { trained } = runner.enterPhase(step);
    const ended = [...before].filter((name) => !trained.has(name));
    this.#optimizer!.drop(ended);
    this.#trainStep!.forget(ended);
    this.#parts.logger.info(
      { step, trained: trained.size, ended: ended.length },
      `A new phase of the plan starts at step ${step}.`,
    );
  }

  async #afterStep(context: AfterStepContext, evaluation: Evaluation): Promise<void> {
    const metrics = this.#metrics.collect(context);
    await this.#files?.step(context, metrics);
    this.#made = undefined;
    await evaluation.run("step", this.#stepContext(context.step + 1, { epoch: context.epoch, microBatch: 0 }));
  }

  async #finish(
    loaded: LoadedModel,
    loop: TrainLoop,
    end: LoopEnd,
    evaluation: Evaluation,
    guard: FrozenGuard,
  ): Promise<RunSummary> {
    const { hooks } = this.#parts;
    const context = this.#stepContext(loop.stepsDone, loop.position);
    // A run that is stopped before its first step has no step whose end would save it
    if (end.isInterrupted && !this.#progress.hasTrained && this.#checkpoint === undefined)
      await this.#saver?.save(context, loop.position);
    if (!end.isInterrupted) await evaluation.run("end", context);
    const frozenProof = await guard.finish(loop.stepsDone);
    await checkTrained(loaded.runner);
    await compareTrained(this.#joined!.ensemble, loaded);
    if (!end.isInterrupted) await this.#files?.final(this.#trainedTensors(loop.stepsDone), this.#planned.planHash);
    const summary = summarize({
      planned: this.#planned,
      runFolder: this.#files?.folder.path,
      steps: loop.stepsDone,
      epochs: loop.position.epoch,
      end,
      totals: this.#totalsNow(),
      frozenProof,
      deadGradients: this.#dead.found,
      evaluations: evaluation.latest,
      lines: this.#checkpointing?.lines ?? [],
      numbers: this.#checkpointing?.numbers ?? {},
    });
    await hooks.done.promise(summary, loaded.context);
    await this.#files?.summary(summary);
    return summary;
  }

  /** What trained up to a step, and what the run began with instead of the model's values. */
  #trainedTensors(step: number): ReadonlyMap<string, ReturnType<LoadedModel["runner"]["store"]["get"]>> {
    const phases = this.#planned.plan.phases.filter(({ fromStep }) => fromStep <= step);
    const names = new Set([...this.#carried, ...phases.flatMap((phase) => [...trainedNames(phase)])]);
    return new Map([...names].map((name) => [name, this.#loaded!.runner.store.get(name)]));
  }

  #totalsNow(): RunTotals {
    return this.#progress.totals(this.#trainStep?.computeMs ?? 0, this.#loaded?.memory.peakBytes ?? 0);
  }

  #stepContext(step: number, { epoch }: DataPosition): StepContext {
    const context: RunContext = this.#loaded!.context;
    return Object.freeze({ ...context, epoch, step });
  }
}
