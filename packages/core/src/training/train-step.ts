import type { Batch } from "@thaw/contracts";
import { lossReachesNothing, nothingSupervised } from "../errors/passes.js";
import type { StepContext } from "../api/contexts.js";
import { clipGroups, learningRatesAt, ratesOf } from "../optimize/group-rates.js";
import type { UpdateContext } from "../api/optimizer.js";
import { decays } from "../plan/groups.js";
import { layerDepths, type LayerDepths } from "../optimize/layer-depth.js";
import type { RunPart } from "../run/run-part.js";
import { Accumulator } from "./accumulator.js";
import { applyUpdate } from "./apply-update.js";
import { GradientBuckets } from "../ensemble/gradient-buckets.js";
import { ShardedOptimizer } from "../ensemble/sharded-optimizer.js";
import { joinStep } from "../ensemble/join-step.js";
import type { Pass } from "../model/model-runner.js";
import { explainNotFinite } from "./not-finite.js";
import type { StepResult, TrainStepInput } from "./train-step-input.js";
import { measureStep, type Measured } from "./measure-step.js";
import { missingInputs } from "./missing-inputs.js";
import { normsByComponent, UpdateSizes } from "./component-norms.js";
import { histogramsOf } from "../trackers/histogram.js";
import type { StepHistograms } from "../trackers/tracker.js";
import { countTokens, superviseTokens } from "../model/supervision.js";

/** Steps between two that measure how much an update changes: it reads every trained weight once more. */
const SIZED_EVERY = 10;

/** Micro-batches of a step: forward, backward, sums; then clip and update, once. */
export class TrainStep implements RunPart {
  readonly #input: TrainStepInput;
  readonly #sums = new Accumulator();
  readonly #updates: Map<string, number>;
  readonly #decaying: ReadonlySet<string>;
  readonly #depths: LayerDepths;
  #batches: Batch[] = [];
  #microBatches = 0;
  #missingInputs: ReadonlySet<string> | undefined;
  #computeMs = 0;
  /** Of the step under way. */
  #passesMs = 0;
  #isTorn = false;
  #buckets: GradientBuckets | undefined;
  /** See {@link JoinedSums}. */
  #updated: readonly string[] | undefined;
  #lastSupervised: Batch | undefined;
  #proven: Batch | undefined;

  constructor(input: TrainStepInput) {
    this.#input = input;
    this.#updates = new Map(Object.entries(input.updates ?? {}));
    const { parameters, model, owners } = input.runner.planned;
    this.#decaying = new Set(
      parameters.filter((parameter) => decays(parameter, input.training)).map(({ name }) => name),
    );
    this.#depths = layerDepths({ segments: model.segments, parameters, owners });
  }

  /** How often each parameter was updated. */
  state(): { readonly updates: Readonly<Record<string, number>> } {
    return { updates: Object.fromEntries(this.#updates) };
  }

  /** Time in forward, backward and update so far; loading and hooks before the forward pass excluded. */
  get computeMs(): number {
    return this.#computeMs;
  }

  /** Forgets how often parameters were updated that no longer train. */
  forget(names: readonly string[]): void {
    for (const name of names) this.#updates.delete(name);
    this.#input.deadGradients.forget(names);
  }

  /**
   * Adds a micro-batch's gradients and loss to the step's sums. One without supervised tokens adds nothing. `isLast`:
   * no other one of the step follows, so that other ranks can have each gradient as soon as it is whole.
   */
  async addMicroBatch(batch: Batch, step: number, isLast: boolean): Promise<void> {
    const { hooks, runner, training } = this.#input;
    const prepared = await runner.prepare(batch, "train", step);
    const { rows, targets } = superviseTokens(prepared.batch);
    this.#batches.push(batch);
    const { rank, size } = this.#input.ensemble;
    const microBatch = this.#microBatches++ * size + rank;
    this.#missingInputs = missingInputs(prepared.host, runner.model.segments, this.#missingInputs);
    if (rows.length === 0) return prepared.dispose();
    this.#lastSupervised = batch;
    const start = performance.now();
    let pass: Pass | undefined;
    try {
      pass = runner.trainingPass(prepared.batch, this.#input.checkpointed(prepared.host), {
        step,
        microBatch,
      });
      const { scope, modelScope } = pass;
      const output = runner.model.forward(prepared.batch, modelScope);
      const crossEntropy = output.crossEntropy(
        rows,
        targets,
        training.labelSmoothing === 0 ? {} : { labelSmoothing: training.labelSmoothing },
      );
      const loss = hooks.loss.call(crossEntropy, {
        step,
        batch: prepared.host,
        output,
        scope: modelScope,
        supervisedTokenCount: rows.length,
        segmentOutput: (segment) => scope.output(segment),
      });
      if (loss.needsGradient) {
        const names = [...scope.trainedValues.keys()];
        this.#sums.expect(names);
        this.#input.optimizer.prepare?.(
          new Map(names.map((name) => [name, runner.store.get(name)])),
          this.#updateContext(step, this.#learningRatesAt(step)),
        );
        const nameOf = new Map([...scope.trainedValues].map(([name, value]) => [value, name]));
        const buckets = isLast ? this.#bucketsOfStep() : undefined;
        pass.tape.backward(loss, [...nameOf.keys()], (value, gradient) => {
          const name = nameOf.get(value)!;
          this.#sums.addGradient(name, gradient);
          buckets?.give(name, this.#sums.takeGradient(name));
        });
      } else if (missingInputs(prepared.host, runner.model.segments).size === 0)
        throw lossReachesNothing([...runner.phase.trained], step);
      this.#sums.addLoss(loss.tensor);
      this.#sums.addRowCounts(output.rowCounts);
      this.#sums.supervisedTokens += rows.length;
      this.#sums.tokens += countTokens(prepared.batch);
    } finally {
      pass?.dispose();
      prepared.dispose();
      this.#passesMs += performance.now() - start;
      this.#computeMs += performance.now() - start;
    }
  }

  /** Counts a micro-batch that has no samples, since other ranks have the last ones of the epoch. */
  skipMicroBatch(): void {
    this.#microBatches += 1;
  }

  /**
   * Sums over all ranks, divides by the step's supervised tokens, clips, updates. Loss and norm are read before
   * anything is updated: a step that is not finite leaves parameters and optimizer as they were.
   * @throws THAW_CORE_NOTHING_SUPERVISED, THAW_CORE_NOT_FINITE, THAW_CORE_RANK_LOST
   */
  async finish(context: StepContext): Promise<StepResult> {
    const { ensemble, stop, runner } = this.#input;
    const buckets = this.#bucketsOfStep();
    if (buckets !== undefined) {
      const { trained } = runner.phase;
      const joined = { ensemble, stop, buckets, trained, missingInputs: this.#missingInputs };
      const { missingInputs: missing, updated } = await joinStep(this.#sums, joined);
      this.#missingInputs = missing;
      this.#updated = updated;
    }
    const { supervisedTokens, tokens, lossSum, rowCounts } = this.#sums;
    if (lossSum === undefined) throw nothingSupervised(this.#batches, context.step);
    const start = performance.now();
    const learningRates = this.#learningRatesAt(context.step);
    const measured = await measureStep(this.#sums, lossSum, {
      gradients: this.#input.hooks.gradients,
      groups: clipGroups(this.#input.runner.phase.groups, this.#input.training.optimizer.clipNorm),
      context,
      sharers: this.#gradientOwner === undefined ? undefined : ensemble,
    });
    const sizes = context.step % SIZED_EVERY === 0 ? new UpdateSizes(runner.planned.owners) : undefined;
    try {
      const numbers = await measured.numbers.data();
      const [sum, gradientNorm, ...squares] = numbers as unknown as [number, number, ...number[]];
      const loss = sum / supervisedTokens;
      const found = { loss, gradientNorm, batches: this.#batches };
      if (!Number.isFinite(loss) || !Number.isFinite(gradientNorm))
        throw await explainNotFinite({ ...this.#input, ...measured, ...found, step: context.step });
      const wanted = this.#input.trackers?.wantsHistograms(context.step) === true;
      const gradients = wanted ? await histogramsOf(measured.gradients, measured.scale) : undefined;
      await this.#update(this.#updateContext(context.step, learningRates), measured, sizes);
      if (gradients !== undefined) await this.#tellHistograms(context.step, gradients);
      this.#proven = this.#lastSupervised;
      const byName = new Map(measured.clip.names.map((name, index) => [name, squares[index]!]));
      this.#watchGradients(context.step, byName);
      const updateRatios = await sizes?.read();
      return {
        loss,
        gradientNorm,
        gradientNorms: normsByComponent(byName, runner.planned.owners, measured.scale),
        ...(updateRatios === undefined ? {} : { updateRatios }),
        learningRates,
        supervisedTokens,
        tokens,
        times: { passesMs: this.#passesMs, updateMs: performance.now() - start },
        ...(rowCounts === undefined ? {} : { rowCounts }),
      };
    } finally {
      for (const tensor of measured.owned) tensor.dispose();
      sizes?.dispose();
      this.clear();
      this.#computeMs += performance.now() - start;
    }
  }

  /** True if an update ended halfway: some parameters are of the step, others of the one before. */
  get isTorn(): boolean {
    return this.#isTorn;
  }

  /**
   * The last micro-batch of the last whole step, whose loss was finite before its update: it tells whether the weights
   * of now are of use. Undefined before the first step.
   */
  get proven(): Batch | undefined {
    return this.#proven;
  }

  close(): void {
    this.clear();
  }

  /** Frees what an unfinished step holds. */
  clear(): void {
    this.#sums.clear();
    this.#batches = [];
    this.#microBatches = 0;
    this.#passesMs = 0;
    this.#missingInputs = undefined;
    this.#buckets?.dispose();
    this.#buckets = undefined;
  }

  /** Undefined for a process that trains alone. */
  #bucketsOfStep(): GradientBuckets | undefined {
    const { ensemble, runner } = this.#input;
    if (ensemble.size === 1) return undefined;
    return (this.#buckets ??= new GradientBuckets({
      ensemble,
      trained: runner.phase.trained,
      shapeOf: (name) => runner.store.shape(name),
      ...(this.#gradientOwner && { ownerOf: this.#gradientOwner }),
    }));
  }

  /** Who alone needs the sum of a gradient, where ranks share these out. */
  get #gradientOwner(): ((name: string) => number) | undefined {
    const { optimizer, training } = this.#input;
    const isShared = optimizer instanceof ShardedOptimizer && training.optimizer.zeroStage === 2;
    return isShared ? (name) => optimizer.ownerOf(name) : undefined;
  }

  /** Of the weights too, as the update left them. */
  async #tellHistograms(step: number, gradients: StepHistograms["gradients"]): Promise<void> {
    const { store } = this.#input.runner;
    const updated = Object.keys(gradients).map((name) => [name, store.get(name)] as const);
    await this.#input.trackers?.histograms({ step: step + 1, gradients, weights: await histogramsOf(updated) });
  }

  #watchGradients(step: number, squares: ReadonlyMap<string, number>): void {
    const { deadGradients, onDead, runner } = this.#input;
    const { trained, stopAfter } = runner.phase;
    const found = deadGradients.observe({
      step,
      trained,
      squares,
      stopAfter,
      missingInputs: this.#missingInputs ?? new Set(),
    });
    if (found.length > 0) onDead(found);
  }

  async #update(context: Omit<UpdateContext, "factorOf">, measured: Measured, sizes: UpdateSizes | undefined) {
    const { runner, optimizer, optimizerPlugin } = this.#input;
    const onUpdated = (name: string): void => {
      this.#updates.set(name, (this.#updates.get(name) ?? 0) + 1);
    };
    this.#isTorn = true;
    const told = { measured, context, sizes, onUpdated, updated: this.#updated };
    await applyUpdate({ optimizer, optimizerPlugin, store: runner.store, ...told });
    this.#isTorn = false;
  }

  #learningRatesAt(step: number): Readonly<Record<string, number>> {
    const { runner, schedules, totalSteps } = this.#input;
    return learningRatesAt(runner.phase.groups, schedules, step, totalSteps);
  }

  #updateContext(step: number, learningRates: Readonly<Record<string, number>>): Omit<UpdateContext, "factorOf"> {
    return {
      step,
      updatesOf: (name) => this.#updates.get(name) ?? 0,
      rates: ratesOf(this.#input.runner.phase.groups, learningRates, {
        decaying: this.#decaying,
        depths: this.#depths,
      }),
    };
  }
}
