import type { Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import type { Batch } from "@thaw/contracts";
import { lossReachesNothing, nothingSupervised, optimizerUpdatedFrozen } from "../errors/passes.js";
import type { AfterStepContext, StepContext } from "../api/contexts.js";
import type { TrainerHooks } from "../api/hooks.js";
import { clipGroups, learningRatesAt, ratesOf } from "../optimize/group-rates.js";
import type { Optimizer, UpdateContext } from "../api/optimizer.js";
import type { ResolvedTrainingOptions } from "../api/options.js";
import { decays } from "../plan/groups.js";
import { Accumulator } from "./accumulator.js";
import type { DeadGradient } from "../api/summary.js";
import type { Ensemble } from "../ensemble/ensemble.js";
import { joinStep } from "../ensemble/join-step.js";
import type { SharedStop } from "../ensemble/shared-stop.js";
import type { DeadGradients } from "./dead-gradients.js";
import type { ModelRunner, Pass } from "../model/model-runner.js";
import { explainNotFinite } from "./not-finite.js";
import { measureStep, type Measured } from "./measure-step.js";
import { missingInputs } from "./missing-inputs.js";
import { countTokens, superviseTokens } from "../model/supervision.js";

/** What one step did. */
export type StepResult = Omit<AfterStepContext, keyof StepContext | "durationMs">;

/** What steps need of a run. */
export interface TrainStepInput {
  readonly hooks: TrainerHooks;
  readonly runner: ModelRunner;
  readonly training: ResolvedTrainingOptions;
  readonly optimizer: Optimizer;
  /** The plugin that made it. */
  readonly optimizerPlugin: string | undefined;
  readonly deadGradients: DeadGradients;
  /** Told of trained parameters that got no gradient for long enough to say so. */
  readonly onDead: (found: readonly DeadGradient[]) => void;
  readonly totalSteps: number;
  readonly ensemble: Ensemble;
  readonly stop: SharedStop;
  readonly checkpointed: (batch: Batch) => ReadonlySet<string>;
  /** Updates by parameter, from a checkpoint. */
  readonly updates?: Readonly<Record<string, number>>;
}

/** Micro-batches of a step: forward, backward, sums; then clip and update, once. */
export class TrainStep {
  readonly #input: TrainStepInput;
  readonly #sums = new Accumulator();
  readonly #updates: Map<string, number>;
  readonly #decaying: ReadonlySet<string>;
  #batches: Batch[] = [];
  #microBatches = 0;
  #missingInputs: ReadonlySet<string> | undefined;
  #computeMs = 0;
  #isTorn = false;
  #lastSupervised: Batch | undefined;
  #proven: Batch | undefined;

  constructor(input: TrainStepInput) {
    this.#input = input;
    this.#updates = new Map(Object.entries(input.updates ?? {}));
    this.#decaying = new Set(
      input.runner.planned.parameters.filter((parameter) => decays(parameter, input.training)).map(({ name }) => name),
    );
  }

  /** How often each parameter was updated. */
  get updates(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#updates);
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

  /** Adds a micro-batch's gradients and loss to the step's sums. One without supervised tokens adds nothing. */
  async addMicroBatch(batch: Batch, step: number): Promise<void> {
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
        this.#input.optimizer.prepare?.(
          new Map(names.map((name) => [name, runner.store.get(name)])),
          this.#updateContext(step, learningRatesAt(this.#input.runner.phase.groups, step, this.#input.totalSteps)),
        );
        const gradients = pass.tape.backward(loss, [...scope.trainedValues.values()]);
        gradients.forEach((gradient, index) => {
          if (gradient !== null) this.#sums.addGradient(names[index]!, gradient);
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
    this.#missingInputs = await joinStep(this.#sums, {
      ensemble,
      stop,
      trained: runner.phase.trained,
      shapeOf: (name) => runner.store.shape(name),
      missingInputs: this.#missingInputs,
    });
    const { supervisedTokens, tokens, lossSum, rowCounts } = this.#sums;
    if (lossSum === undefined) throw nothingSupervised(this.#batches, context.step);
    const start = performance.now();
    const learningRates = learningRatesAt(this.#input.runner.phase.groups, context.step, this.#input.totalSteps);
    const measured = measureStep(this.#sums, lossSum, {
      gradients: this.#input.hooks.gradients,
      groups: clipGroups(this.#input.runner.phase.groups, this.#input.training.optimizer.clipNorm),
      context,
    });
    try {
      const numbers = await measured.numbers.data();
      const [sum, gradientNorm, ...squares] = numbers as unknown as [number, number, ...number[]];
      const loss = sum / supervisedTokens;
      const found = { loss, gradientNorm, batches: this.#batches };
      if (!Number.isFinite(loss) || !Number.isFinite(gradientNorm))
        throw await explainNotFinite({ ...this.#input, ...measured, ...found, step: context.step });
      tf.tidy(() => this.#update(context, learningRates, measured));
      this.#proven = this.#lastSupervised;
      this.#watchGradients(context.step, new Map(measured.clip.names.map((name, index) => [name, squares[index]!])));
      return {
        loss,
        gradientNorm,
        learningRates,
        supervisedTokens,
        tokens,
        ...(rowCounts === undefined ? {} : { rowCounts }),
      };
    } finally {
      for (const tensor of measured.owned) tensor.dispose();
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

  /** Frees what an unfinished step holds. */
  clear(): void {
    this.#sums.clear();
    this.#batches = [];
    this.#microBatches = 0;
    this.#missingInputs = undefined;
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

  /** Inside a tidy. */
  #update(
    context: StepContext,
    learningRates: Readonly<Record<string, number>>,
    { gradients, clip, owned }: Measured,
  ): void {
    const { runner, optimizer } = this.#input;
    const free = (name: string): void => {
      const gradient = gradients.get(name)!;
      if (owned.has(gradient)) gradient.dispose();
    };
    const parameters = new Map([...gradients.keys()].map((name) => [name, runner.store.get(name)]));
    const updates = this.#updateContext(context.step, learningRates);
    this.#isTorn = true;
    const updated =
      optimizer.takesFactors === true
        ? optimizer.update(parameters, gradients, { ...updates, factorOf: clip.factor })
        : optimizer.update(parameters, scaled(gradients, clip.factor, free), updates);
    for (const [name, tensor] of updated) {
      if (!gradients.has(name))
        throw optimizerUpdatedFrozen(optimizer.name, this.#input.optimizerPlugin, [name], context.step);
      runner.store.replace(name, tensor);
      free(name);
      this.#updates.set(name, (this.#updates.get(name) ?? 0) + 1);
    }
    this.#isTorn = false;
  }

  #updateContext(step: number, learningRates: Readonly<Record<string, number>>): Omit<UpdateContext, "factorOf"> {
    return {
      step,
      updatesOf: (name) => this.#updates.get(name) ?? 0,
      rates: ratesOf(this.#input.runner.phase.groups, learningRates, this.#decaying),
    };
  }
}

/** Each times its factor; frees the gradients as it goes. */
function scaled(
  gradients: ReadonlyMap<string, Tensor>,
  factor: (name: string) => Tensor,
  free: (name: string) => void,
): ReadonlyMap<string, Tensor> {
  const result = new Map<string, Tensor>();
  for (const [name, gradient] of gradients) {
    result.set(name, tf.mul(gradient, factor(name)));
    free(name);
  }
  return result;
}
