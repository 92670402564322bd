import type { Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import type { Batch, RowCounts, Segment } from "@thaw/contracts";
import { lossNotFinite, lossReachesNothing, nothingSupervised, optimizerUpdatedFrozen } from "../errors/passes.js";
import type { StepContext } from "../api/contexts.js";
import type { TrainerHooks } from "../api/hooks.js";
import { clipFactors, type ClipGroup, type ClipResult } from "../optimize/clip.js";
import { scheduleFactor } from "../optimize/schedule.js";
import type { GroupRates, Optimizer, UpdateContext } from "../api/optimizer.js";
import type { ResolvedTrainingOptions } from "../api/options.js";
import { decays } from "../plan/groups.js";
import { Accumulator } from "./accumulator.js";
import type { DeadGradient, DeadGradients } from "./dead-gradients.js";
import type { ModelRunner, Pass } from "../model/model-runner.js";
import { countTokens, superviseTokens } from "../model/supervision.js";

/** What one step did. */
export interface StepResult {
  readonly loss: number;
  readonly gradientNorm: number;
  readonly learningRates: Readonly<Record<string, number>>;
  readonly supervisedTokens: number;
  readonly tokens: number;
  readonly rowCounts?: RowCounts;
}

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
  #samples: string[] = [];
  #microBatches = 0;
  #missingInputs: ReadonlySet<string> | undefined;
  #computeMs = 0;

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
    this.#samples.push(...batch.samples.map(({ id }) => id));
    const microBatch = this.#microBatches++;
    this.#missingInputs = missingInputs(prepared.host, runner.model.segments, this.#missingInputs);
    if (rows.length === 0) return prepared.dispose();
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
          this.#updateContext(step, this.#learningRates(step)),
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

  /**
   * Divides by the step's supervised tokens, clips, updates. @throws THAW_CORE_NOTHING_SUPERVISED, THAW_CORE_NOT_FINITE
   */
  async finish(context: StepContext): Promise<StepResult> {
    const { supervisedTokens, tokens, lossSum, rowCounts } = this.#sums;
    if (lossSum === undefined) throw nothingSupervised(this.#samples, context.step);
    const start = performance.now();
    const learningRates = this.#learningRates(context.step);
    let names: readonly string[] = [];
    const numbers = tf.tidy(() => {
      const clip = this.#update(context, learningRates);
      names = clip.names;
      const two = tf.stack([lossSum, clip.norm]);
      return clip.squares === null ? two : tf.concat([two, clip.squares]);
    });
    try {
      const [sum, gradientNorm, ...squares] = (await numbers.data()) as unknown as [number, number, ...number[]];
      const loss = sum / supervisedTokens;
      if (!Number.isFinite(loss) || !Number.isFinite(gradientNorm))
        throw lossNotFinite(loss, gradientNorm, context.step);
      this.#watchGradients(context.step, new Map(names.map((name, index) => [name, squares[index]!])));
      return {
        loss,
        gradientNorm,
        learningRates,
        supervisedTokens,
        tokens,
        ...(rowCounts === undefined ? {} : { rowCounts }),
      };
    } finally {
      numbers.dispose();
      this.clear();
      this.#computeMs += performance.now() - start;
    }
  }

  /** Frees what an unfinished step holds. */
  clear(): void {
    this.#sums.clear();
    this.#samples = [];
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
  #update(context: StepContext, learningRates: Readonly<Record<string, number>>): ClipResult {
    const { hooks, runner, optimizer } = this.#input;
    const scale = 1 / this.#sums.supervisedTokens;
    const sums = this.#sums.takeGradients();
    try {
      // `isUsed` also counts those who only watch
      const isTapped = hooks.gradients.taps.length > 0;
      const gradients = isTapped ? hooks.gradients.call(divided(sums, scale), context) : sums;
      const clip = clipFactors(gradients, this.#clipGroups(), isTapped ? 1 : scale);
      const parameters = new Map([...gradients.keys()].map((name) => [name, runner.store.get(name)]));
      const updates = this.#updateContext(context.step, learningRates);
      const updated =
        optimizer.takesFactors === true
          ? optimizer.update(parameters, gradients, { ...updates, factorOf: clip.factor })
          : optimizer.update(parameters, scaled(gradients, clip.factor, sums), updates);
      for (const [name, tensor] of updated) {
        if (!gradients.has(name))
          throw optimizerUpdatedFrozen(optimizer.name, this.#input.optimizerPlugin, [name], context.step);
        runner.store.replace(name, tensor);
        sums.get(name)?.dispose();
        this.#updates.set(name, (this.#updates.get(name) ?? 0) + 1);
      }
      return clip;
    } finally {
      for (const sum of sums.values()) sum.dispose();
    }
  }

  #updateContext(step: number, learningRates: Readonly<Record<string, number>>): Omit<UpdateContext, "factorOf"> {
    return { step, updatesOf: (name) => this.#updates.get(name) ?? 0, rates: this.#rates(learningRates) };
  }

  #clipGroups(): readonly ClipGroup[] {
    const clipNorm = this.#input.training.optimizer.clipNorm;
    const { groups } = this.#input.runner.phase;
    const own = groups
      .filter(({ group }) => group.clipNorm !== undefined)
      .map(({ group, names }): ClipGroup => ({ names, clipNorm: group.clipNorm! }));
    const shared = groups.filter(({ group }) => group.clipNorm === undefined).flatMap(({ names }) => names);
    return [{ names: shared, clipNorm }, ...own];
  }

  #learningRates(step: number): Readonly<Record<string, number>> {
    const { runner, totalSteps } = this.#input;
    return Object.fromEntries(
      runner.phase.groups.map(({ group }) => {
        const start = group.fromStep ?? 0;
        return [
          group.name,
          group.learningRate * scheduleFactor(group.schedule, Math.max(0, step - start), totalSteps - start),
        ];
      }),
    );
  }

  #rates(learningRates: Readonly<Record<string, number>>): (name: string) => GroupRates {
    const rates = new Map<string, GroupRates>();
    for (const { group, names } of this.#input.runner.phase.groups) {
      const learningRate = learningRates[group.name]!;
      for (const name of names)
        rates.set(name, { learningRate, weightDecay: this.#decaying.has(name) ? group.weightDecay : 0 });
    }
    return (name) => rates.get(name)!;
  }
}

/**
 * Inputs that a segment would have read and the batch does not hold (samples of text alone), of those that earlier ones
 * missed as well: what trains may then have no part in the loss, which counts all the same.
 */
function missingInputs(
  { media }: Batch,
  segments: readonly Segment[],
  earlier?: ReadonlySet<string>,
): ReadonlySet<string> {
  const missing = segments
    .flatMap(({ reads }) => reads)
    .filter((input) => media.every(({ inputs }) => inputs[input] === undefined));
  return new Set(earlier === undefined ? missing : missing.filter((input) => earlier.has(input)));
}

/** Each times its factor; frees the sums as it goes. */
function scaled(
  gradients: ReadonlyMap<string, Tensor>,
  factor: (name: string) => Tensor,
  sums: ReadonlyMap<string, Tensor>,
): ReadonlyMap<string, Tensor> {
  const result = new Map<string, Tensor>();
  for (const [name, gradient] of gradients) {
    result.set(name, tf.mul(gradient, factor(name)));
    sums.get(name)?.dispose();
  }
  return result;
}

function divided(sums: ReadonlyMap<string, Tensor>, scale: number): ReadonlyMap<string, Tensor> {
  const factor = tf.scalar(scale);
  return new Map([...sums].map(([name, sum]) => [name, tf.mul(sum, factor)]));
}
