import type { AfterStepContext, StepContext } from "../api/contexts.js";
import { makeOptimizer } from "../optimize/make-optimizer.js";
import type { Optimizer } from "../api/optimizer.js";
import { everTrained } from "../plan/plan.js";
import { runLength } from "../plan/run-length.js";
import type { RunSummary } from "../api/summary.js";
import { lostAfter, lostBy } from "../errors/ensemble.js";
import { ShardedOptimizer } from "../ensemble/sharded-optimizer.js";
import type { DataPosition } from "../api/state.js";
import { compareTrained, compareWeights, joinRun, type JoinedRun } from "../ensemble/join-run.js";
import { startOf } from "../checkpoint/resume.js";
import { RunProgress } from "./run-progress.js";
import { deadGradientFacts } from "./tap-facts.js";
import { checkpointingOf } from "../training/checkpointing.js";
import { DeadGradients, warnOfDeadGradients } from "../training/dead-gradients.js";
import { Estimates } from "../estimate/estimates.js";
import { Evaluation } from "../evaluation/evaluation.js";
import { FrozenGuard } from "../weights/frozen-guard.js";
import { FrozenPart } from "../weights/frozen-part.js";
import { loadModel, runFacts, type LoadedModel } from "../model/loaded-model.js";
import { rescueRun, type Rescue } from "./rescue.js";
import { restoreRun } from "./restore-run.js";
import { checkSpace } from "../checkpoint/disk-space.js";
import { BestCheckpoint } from "../checkpoint/best-checkpoint.js";
import { measuredBy } from "../evaluation/directions.js";
import { RunFiles } from "../checkpoint/run-files.js";
import { Saver } from "../checkpoint/saver.js";
import { RunnerSession } from "../evaluation/runner-session.js";
import { stepEvent } from "../stream/make-events.js";
import { StepMetrics } from "../stream/step-metrics.js";
import { MemoryWatch } from "../model/memory-watch.js";
import type { LoopParts, MadeRun, TrainingRunInput } from "./made-run.js";
import { stateOf, summaryOf, type RunPart } from "./run-part.js";
import { checkTrained } from "../training/not-finite.js";
import { runTrackers } from "../trackers/run-trackers.js";
import { StopRule } from "../training/stop-rule.js";
import { summarize } from "./summarize.js";
import { TrainLoop, type LoopEnd } from "../training/train-loop.js";
import { TrainStep } from "../training/train-step.js";

/** One run from the fixed plan to the summary. `dispose` frees everything, whatever happened. */
export class TrainingRun {
  readonly #input: TrainingRunInput;
  readonly #progress: RunProgress;
  readonly #metrics: StepMetrics;
  /** What the run is made of beside its steps, in the order in which they are told of anything. */
  readonly #runParts: RunPart[] = [];
  #joined: JoinedRun | undefined;
  #made: MadeRun | undefined;
  /** A whole step whose line is not written yet. */
  #unwritten: AfterStepContext | undefined;
  #carried: ReadonlySet<string> = new Set();

  constructor(input: TrainingRunInput) {
    this.#input = input;
    this.#metrics = new StepMetrics(input.parts);
    this.#progress = new RunProgress(input.checkpoint?.state.totals, () => ({
      trainingMs: this.#made?.trainStep.computeMs ?? 0,
      peakTensorBytes: this.#made?.loaded.memory.peakBytes ?? 0,
    }));
  }

  async run(): Promise<RunSummary> {
    const { parts, checkpoint, planned } = this.#input;
    const { hooks, stream } = parts;
    const joined = (this.#joined = await joinRun(this.#input));
    const { step: startStep, position } = startOf(checkpoint, parts.training);
    const made = await this.#make(joined, startStep);
    const { loaded, optimizer, trainStep, evaluation, guard, loop } = made;
    await hooks.initialize.promise(loaded.context);
    if (checkpoint !== undefined) {
      const state = { parts, loaded, optimizer, trainStep, runParts: this.#runParts };
      this.#carried = await restoreRun(checkpoint, state);
    }
    for (const part of this.#runParts) await part.open?.();
    await compareWeights(joined.ensemble, loaded, guard.fingerprint());
    await stream.emit({
      event: "started",
      step: startStep,
      totalSteps: loaded.context.totalSteps,
      planHash: planned.planHash,
      backend: loaded.backend.description,
      ...(checkpoint === undefined ? {} : { resumedFrom: checkpoint.folder }),
    });
    await hooks.beforeRun.promise(loaded.context);
    await evaluation.run(startStep === 0 ? "start" : "step", this.#stepContext(startStep, position.epoch));
    const end = await loop.run().catch((error: unknown) => {
      throw lostAfter(error, loop.stepsDone);
    });
    return this.#finish(made, end);
  }

  /**
   * After a failure: tells other ranks, and saves the state after the last whole step, if this run made one and writes
   * a folder. Undefined where there is nothing to say.
   */
  async rescue(error: unknown): Promise<Rescue | undefined> {
    const { ensemble } = this.#joined ?? {};
    await ensemble?.close(lostBy(error, ensemble.rank));
    if (this.#made?.saver === undefined || !this.#progress.hasTrained) return undefined;
    const { saver, loop, loaded } = this.#made;
    const context = this.#stepContext(loop.stepsDone, loop.position.epoch);
    const { logger } = this.#input.parts;
    const told = { context, position: loop.position, unwritten: this.#unwritten, logger };
    return rescueRun({ ...this.#made, ...told, saver, runner: loaded.runner }, error);
  }

  /** Frees tensors and closes files; removes the folder of a run that never made a step. */
  async dispose(hasFailed: boolean): Promise<void> {
    await this.#joined?.ensemble.close();
    const files = this.#runParts.find((part): part is RunFiles => part instanceof RunFiles);
    for (const part of this.#runParts.toReversed()) await part.close?.();
    this.#runParts.length = 0;
    if (hasFailed && !this.#progress.hasTrained) await files?.folder.discard();
  }

  /** Opens the folder, loads the model and makes the parts of the run; each is closed by `dispose`, in reverse. */
  async #make(joined: JoinedRun, startStep: number): Promise<MadeRun> {
    const { parts, planned, checkpoint } = this.#input;
    const { hooks, options, training, logger } = parts;
    const { ensemble } = joined;
    const isWriter = ensemble.rank === 0;
    const files = isWriter ? await RunFiles.open(parts, planned, checkpoint?.continues, startStep) : undefined;
    const totalSteps = runLength(options.data!.train!, training, ensemble.size).totalSteps!;
    const runFolder = files?.folder.path;
    const trackers = isWriter ? runTrackers(parts, runFolder, startStep) : undefined;
    this.#runParts.push(...[files, trackers].filter((part) => part !== undefined));
    parts.stream.begin(runFacts(parts, runFolder), startStep, {
      isTold: isWriter,
      sink: async (event) => {
        for (const part of this.#runParts) await part.record?.(event);
      },
    });
    await checkSpace(runFolder, planned, totalSteps, logger);
    const given = { runFolder, ensemble, totalSteps, hasCheckpoint: checkpoint !== undefined };
    const loaded = await loadModel(parts, planned, { ...given, isStatic: false });
    this.#carried = loaded.started;
    const memory = new MemoryWatch();
    this.#runParts.push({
      close: () => {
        memory.close();
        loaded.dispose();
      },
    });
    const { optimizer, optimizerPlugin } = makeOptimizer(parts, planned, loaded.backend, ensemble);
    this.#runParts.push({ close: () => optimizer.dispose() });
    const dead = new DeadGradients(training.deadGradientSteps, deadGradientFacts(parts, planned));
    const recompute = checkpointingOf(planned, training, loaded.backend);
    const estimates = new Estimates(planned);
    const { runner } = loaded;
    const trainStep = new TrainStep({
      hooks,
      runner,
      training,
      optimizer,
      totalSteps,
      schedules: parts.registry.all("schedules"),
      ...joined,
      optimizerPlugin,
      deadGradients: dead,
      trackers,
      onDead: (found) => warnOfDeadGradients(found, logger),
      updates: checkpoint?.state.updates,
      checkpointed: (batch) => estimates.see(runner.phase, batch, recompute.choose(runner.phase, batch)),
    });
    const guard = new FrozenGuard(
      (name) => runner.store.hash(name, { isFresh: true }),
      planned.model.buffers?.map(({ name }) => name),
    );
    const frozen = new FrozenPart({ guard, plan: planned.plan, planHash: planned.planHash, startStep, checkpoint });
    const evaluation = this.#makeEvaluation(joined, loaded);
    const best = new BestCheckpoint(training, measuredBy(options), { files, resumedFrom: checkpoint?.folder });
    const stopRule = new StopRule(training.stopWhen, measuredBy(options));
    this.#runParts.push(trainStep, frozen, this.#progress, stopRule, best, dead, recompute, estimates, evaluation);
    const saver = files === undefined ? undefined : this.#makeSaver(files, optimizer, () => best.step);
    const peakBytes = (): number => memory.lap().peakBytes;
    const loop = this.#makeLoop(joined, { loaded, trainStep, stopRule, peakBytes });
    return (this.#made = { loaded, optimizer, trainStep, evaluation, guard, files, saver, loop });
  }

  #makeSaver(files: RunFiles, optimizer: Optimizer, bestStep: () => number | undefined): Saver {
    const { parts, planned } = this.#input;
    return new Saver({
      parts,
      planned,
      files,
      optimizer,
      bestStep,
      kept: (step) => stateOf(this.#runParts, step),
      emit: (event) => parts.stream.emit(event),
      trained: (step) => this.#trainedTensors(step),
    });
  }

  #makeEvaluation(joined: JoinedRun, loaded: LoadedModel): Evaluation {
    const { hooks, options, training, stream } = this.#input.parts;
    return new Evaluation({
      hooks,
      training,
      seed: options.seed!,
      session: new RunnerSession(loaded.runner, loaded.backend, () => this.#made!.loop.stepsDone),
      sources: options.data?.evaluation ?? {},
      lossMetrics: options.data?.lossMetrics ?? {},
      evaluators: options.evaluators ?? [],
      ...joined,
      emit: (event) => stream.emit(event),
      contextAt: (step, epoch) => this.#stepContext(step, epoch),
    });
  }

  #makeLoop(joined: JoinedRun, { loaded, trainStep, stopRule, peakBytes }: LoopParts): TrainLoop {
    const { parts, checkpoint, throwFailure } = this.#input;
    const { hooks, watch, options, training } = parts;
    return new TrainLoop({
      hooks,
      watch,
      training,
      start: startOf(checkpoint, training),
      context: loaded.context,
      source: options.data!.train!,
      seed: options.seed!,
      trainStep,
      ...joined,
      throwFailure,
      peakBytes,
      stopDecision: () => stopRule.decision,
      events: {
        enterPhase: async (step) => this.#enterPhase(step),
        stepMade: (context) => {
          this.#unwritten = context;
          this.#progress.step(context);
        },
        afterStep: async (context) => this.#afterStep(context),
        stepDone: (context, position, done) =>
          this.#save(context, position, this.#made!.saver?.isDue(context.step, done) === true),
      },
    });
  }

  async #enterPhase(step: number): Promise<void> {
    const { loaded, optimizer, trainStep } = this.#made!;
    const before = loaded.runner.phase.trained;
    for (const part of this.#runParts) await part.enterPhase?.(step);
    const { trained } = loaded.runner.enterPhase(step);
    const ended = [...before].filter((name) => !trained.has(name));
    optimizer.drop(ended);
    trainStep.forget(ended);
    this.#input.parts.logger.info(
      { step, trained: trained.size, ended: ended.length },
      `A new phase of the plan starts at step ${step}.`,
    );
  }

  /** Called by every rank; the first one has a saver. */
  async #save(context: StepContext, position: DataPosition, isDue: boolean): Promise<void> {
    const { saver, optimizer } = this.#made!;
    if (optimizer instanceof ShardedOptimizer)
      await optimizer.save(isDue, async (slots) => void (await saver?.save(context, position, slots)));
    else if (isDue) await saver?.save(context, position, optimizer.slots());
  }

  async #afterStep(context: AfterStepContext): Promise<void> {
    await this.#input.parts.stream.emit(stepEvent(context, this.#metrics.collect(context)));
    this.#unwritten = undefined;
    for (const part of this.#runParts) await part.afterStep?.(context);
  }

  async #finish({ loaded, loop, evaluation, guard, files }: MadeRun, end: LoopEnd): Promise<RunSummary> {
    const { parts, planned, checkpoint } = this.#input;
    const { stepsDone, position } = loop;
    const context = this.#stepContext(stepsDone, position.epoch);
    // A run that is stopped before its first step has no step whose end would save it
    const isUnsaved = end.isInterrupted && !this.#progress.hasTrained && checkpoint === undefined;
    if (isUnsaved) await this.#save(context, position, true);
    if (!end.isInterrupted) await evaluation.run("end", context);
    const frozenProof = await guard.finish(stepsDone);
    await checkTrained(loaded.runner);
    await compareTrained(this.#joined!.ensemble, loaded);
    if (!end.isInterrupted) await files?.final(this.#trainedTensors(stepsDone), planned.planHash);
    const said = { steps: stepsDone, epochs: position.epoch, end, frozenProof, ...summaryOf(this.#runParts) };
    const summary = summarize({ planned, runFolder: files?.folder.path, ...said });
    await parts.hooks.done.promise(summary, loaded.context);
    await files?.writeSummary(summary);
    await parts.stream.emit({ event: "done", step: stepsDone, summary });
    return summary;
  }

  /** What trained up to a step, and what the run began with instead of the model's values. */
  #trainedTensors(step: number): ReadonlyMap<string, ReturnType<LoadedModel["runner"]["store"]["get"]>> {
    const phases = this.#input.planned.plan.phases.filter(({ fromStep }) => fromStep <= step);
    const { store } = this.#made!.loaded.runner;
    return new Map([...this.#carried, ...everTrained(phases)].map((name) => [name, store.get(name)]));
  }

  #stepContext(step: number, epoch: number): StepContext {
    return Object.freeze({ ...this.#made!.loaded.context, epoch, step });
  }
}
