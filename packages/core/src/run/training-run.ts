import type { FoundCheckpoint } from "../checkpoint/read-checkpoint.js";
import { STATE_VERSION, type DataPosition, type RunState, type RunTotals } from "../api/state.js";
import type { AfterStepContext, Backend, PlannedContext, RunContext, StepContext } from "../api/contexts.js";
import { AdamW } from "../optimize/adamw.js";
import type { Optimizer } from "../api/optimizer.js";
import { phaseAt, trainedNames } from "../plan/plan.js";
import { runLength } from "../plan/run-length.js";
import type { RunSummary } from "../api/summary.js";
import { RunProgress } from "./run-progress.js";
import { deadGradientFacts, lastCalled } from "./tap-facts.js";
import type { TrainerParts } from "./trainer-parts.js";
import { activationMemoryBytes, Checkpointing } from "../training/checkpointing.js";
import { deadGradientLines, DeadGradients } from "../training/dead-gradients.js";
import { Evaluation } from "../evaluation/evaluation.js";
import { FrozenGuard } from "../weights/frozen-guard.js";
import { loadModel, type LoadedModel } from "../model/loaded-model.js";
import { checkBase } from "../checkpoint/resume.js";
import { restoreRun } from "./restore-run.js";
import { RunFiles } from "../checkpoint/run-files.js";
import { RunnerSession } from "../evaluation/runner-session.js";
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
}

/** One run from the fixed plan to the summary. `dispose` frees everything, whatever happened. */
export class TrainingRun {
  readonly #parts: TrainerParts;
  readonly #planned: PlannedContext;
  readonly #checkpoint: FoundCheckpoint | undefined;
  readonly #stopReason: () => string | undefined;
  #files: RunFiles | undefined;
  #loaded: LoadedModel | undefined;
  #optimizer: Optimizer | undefined;
  #trainStep: TrainStep | undefined;
  #checkpointing: Checkpointing | undefined;
  readonly #dead: DeadGradients;
  readonly #stopRule: StopRule;
  #carried: ReadonlySet<string> = new Set();
  readonly #progress: RunProgress;

  constructor({ parts, planned, checkpoint, stopReason }: TrainingRunInput) {
    this.#parts = parts;
    this.#planned = planned;
    this.#checkpoint = checkpoint;
    this.#stopReason = stopReason;
    this.#stopRule = new StopRule(parts.training.stopWhen);
    this.#dead = new DeadGradients(parts.training.deadGradientSteps, deadGradientFacts(parts, planned));
    this.#progress = new RunProgress(checkpoint?.state.totals);
  }

  async run(): Promise<RunSummary> {
    const { hooks, watch, options, training } = this.#parts;
    const source = options.data!.train!;
    const start = {
      step: this.#checkpoint?.state.step ?? 0,
      position: this.#checkpoint?.state.position ?? { epoch: 0, microBatch: 0 },
    };
    if (options.output !== undefined || options.runFolder !== undefined || this.#checkpoint?.continues !== undefined) {
      this.#files = await RunFiles.open(this.#parts, this.#planned, this.#checkpoint?.continues, start.step);
    }
    const totalSteps = runLength(source, training).totalSteps!;
    const loaded = await loadModel(this.#parts, this.#planned, {
      runFolder: this.#files?.folder.path,
      totalSteps,
      isStatic: false,
      hasCheckpoint: this.#checkpoint !== undefined,
    });
    this.#loaded = loaded;
    this.#carried = loaded.started;
    const { runner, context } = loaded;
    const optimizer = this.#makeOptimizer(loaded.backend);
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
      optimizerPlugin: optimizer instanceof AdamW ? undefined : lastCalled(watch, "resolveOptimizer"),
      deadGradients: this.#dead,
      onDead: (found) => {
        for (const line of deadGradientLines(found))
          this.#parts.logger.warn({ parameters: found.map(({ name }) => name) }, line);
      },
      updates: this.#checkpoint?.state.updates,
      checkpointed: (batch) => this.#checkpointing!.choose(runner.phase, batch),
    });
    const evaluation = this.#makeEvaluation(loaded, () => loop.stepsDone);
    const guard = new FrozenGuard((name) => runner.store.hash(name, { isFresh: true }));
    const loop = this.#makeLoop(loaded, guard, evaluation, start);
    if (this.#checkpoint !== undefined) {
      const state = { optimizer, trainStep: this.#trainStep, evaluation, stopRule: this.#stopRule };
      this.#carried = await restoreRun(this.#checkpoint, { parts: this.#parts, loaded, ...state });
    }
    await guard.enter(runner.phase.plan);
    if (this.#checkpoint !== undefined) checkBase(this.#checkpoint, this.#planned.planHash, guard.fingerprint());
    await hooks.beforeRun.promise(context);
    await evaluation.run(start.step === 0 ? "start" : "step", this.#stepContext(start.step, start.position));
    const end = await loop.run();
    return this.#finish(loaded, loop, end, evaluation, guard);
  }

  /** Frees tensors and closes files; removes the folder of a run that never made a step. */
  async dispose(hasFailed: boolean): Promise<void> {
    this.#trainStep?.clear();
    this.#optimizer?.dispose();
    this.#loaded?.dispose();
    await this.#files?.close();
    if (hasFailed && !this.#progress.hasTrained) await this.#files?.folder.discard();
  }

  #makeOptimizer({ joinBytes }: Backend): Optimizer {
    const { hooks, training } = this.#parts;
    this.#optimizer =
      hooks.resolveOptimizer.call({ training, groups: this.#planned.groups }) ??
      new AdamW(training.optimizer, { joinBytes });
    return this.#optimizer;
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
      isStopping: () => this.#stopReason() !== undefined,
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
    start: { readonly step: number; readonly position: DataPosition },
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
      stopReason: this.#stopReason,
      stopDecision: () => this.#stopRule.decision,
      events: {
        enterPhase: async (step) => this.#enterPhase(loaded, guard, step),
        afterStep: async (context) => this.#afterStep(context, evaluation),
        stepDone: async (context, position, isInterrupted) => {
          const isDue = training.saveEverySteps !== undefined && context.step % training.saveEverySteps === 0;
          if (isDue || isInterrupted) await this.#save(context, position, evaluation, guard);
        },
      },
    });
  }

  async #enterPhase({ runner }: LoadedModel, guard: FrozenGuard, step: number): Promise<void> {
    const before = runner.phase.trained;
    await guard.enter(phaseAt(this.#planned.plan, step));
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
    const metrics: Record<string, number> = {};
    this.#parts.hooks.collectMetrics.call(
      {
        add: (name, value) => {
          metrics[name] = value;
        },
      },
      context,
    );
    await this.#files?.step(context, metrics);
    this.#progress.step(context);
    await evaluation.run("step", this.#stepContext(context.step + 1, { epoch: context.epoch, microBatch: 0 }));
  }

  async #save(context: StepContext, position: DataPosition, evaluation: Evaluation, guard: FrozenGuard): Promise<void> {
    if (this.#files === undefined) return;
    const { hooks, options, training } = this.#parts;
    const folder = this.#files.checkpointFolder(context.step);
    const plugins = await hooks.checkpoint.promise({}, Object.freeze({ ...context, folder }));
    const state: RunState = {
      version: STATE_VERSION,
      step: context.step,
      position,
      seed: options.seed!,
      sampleCount: options.data!.train!.sampleCount,
      planHash: this.#planned.planHash,
      plan: this.#planned.plan,
      baseFingerprint: guard.fingerprint(),
      training,
      optimizer: this.#optimizer!.name,
      updates: this.#trainStep!.updates,
      evaluation: evaluation.state,
      stopRule: this.#stopRule.state,
      totals: this.#totalsNow(),
      plugins,
    };
    await this.#files.checkpoint(state, this.#trainedTensors(context.step), this.#optimizer!.slots());
    this.#parts.logger.info({ step: context.step, folder }, `Checkpoint ${folder}.`);
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
      await this.#save(context, loop.position, evaluation, guard);
    if (!end.isInterrupted) await evaluation.run("end", context);
    const frozenProof = await guard.finish(loop.stepsDone);
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
