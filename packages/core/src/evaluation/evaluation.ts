import { setImmediate } from "node:timers/promises";
import type { BatchSource } from "@thaw/contracts";
import { evaluationUnsupervised, metricNotFinite } from "../errors/passes.js";
import type { AfterStepContext, EvaluatedContext, StepContext } from "../api/contexts.js";
import type { TrainerHooks } from "../api/hooks.js";
import type { ResolvedTrainingOptions } from "../api/options.js";
import type { Session } from "../api/session.js";
import type { Evaluator, LossMetric } from "../api/run-options.js";
import type { EvaluationState, RunState } from "../api/state.js";
import type { RunPart } from "../run/run-part.js";
import { evaluatedEvent } from "../stream/make-events.js";
import type { RunEvent } from "../stream/run-event.js";
import type { Ensemble } from "../ensemble/ensemble.js";
import { measuredBy, type Measured } from "./directions.js";
import { rankBatches } from "../ensemble/shard.js";
import type { SharedStop } from "../ensemble/shared-stop.js";

type Metrics = Readonly<Record<string, number>>;

/** When evaluations happen. */
export type EvaluationMoment = "start" | "step" | "end";

/** What evaluations need of a run. */
export interface EvaluationInput {
  readonly hooks: TrainerHooks;
  readonly session: Session;
  readonly training: ResolvedTrainingOptions;
  readonly seed: number;
  readonly sources: Readonly<Record<string, BatchSource>>;
  /** By source: what is made of its loss. */
  readonly lossMetrics: Readonly<Record<string, readonly LossMetric[]>>;
  readonly evaluators: readonly Evaluator[];
  readonly ensemble: Ensemble;
  readonly stop: SharedStop;
  /** Told before the `evaluated` hook fires. */
  readonly emit: (event: RunEvent) => Promise<void>;
  /** The context of a step that is about to begin. */
  readonly contextAt: (step: number, epoch: number) => StepContext;
}

/** Runs what is due: the loss on each evaluation source, then the evaluators. */
export class Evaluation implements RunPart {
  readonly #input: EvaluationInput;
  readonly #latest: Record<string, Readonly<Record<string, number>>> = {};
  readonly #lastStep = new Map<string, number>();
  readonly #measured: Measured;

  constructor(input: EvaluationInput) {
    this.#input = input;
    const { sources: evaluation, lossMetrics, evaluators } = input;
    this.#measured = measuredBy({ data: { evaluation, lossMetrics }, evaluators });
  }

  /** Latest metrics by name. */
  get latest(): Readonly<Record<string, Readonly<Record<string, number>>>> {
    return this.#latest;
  }

  /**
   * Evaluates everything that is due after `context.step` steps and was not measured at that step already; stops early
   * when asked. @throws THAW_CORE_EVALUATION_NOT_FINITE, THAW_CORE_METRIC_NOT_FINITE,
   * THAW_CORE_EVALUATION_UNSUPERVISED
   */
  async run(moment: EvaluationMoment, context: StepContext): Promise<void> {
    for (const { key, name, everySteps, atStart, evaluate } of this.#measurements()) {
      if (this.#input.stop.reason !== undefined) return;
      if (this.#lastStep.get(key) === context.step || !isDue(moment, context.step, everySteps, atStart)) continue;
      const start = performance.now();
      const metrics = await this.#agreed(await evaluate(context));
      if (metrics === undefined) return;
      for (const [metric, value] of Object.entries(metrics))
        if (!Number.isFinite(value)) throw metricNotFinite(name, metric, value, context.step);
      this.#lastStep.set(key, context.step);
      this.#latest[name] = { ...this.#latest[name], ...metrics };
      const lower = lowerOf(this.#measured.get(name), metrics);
      const evaluated: EvaluatedContext = Object.freeze({
        ...context,
        name,
        metrics,
        ...(lower === undefined ? {} : { lower }),
        durationMs: performance.now() - start,
      });
      await this.#input.emit(evaluatedEvent(evaluated));
      await this.#input.hooks.evaluated.promise(evaluated);
    }
  }

  async afterStep({ step, epoch }: AfterStepContext): Promise<void> {
    await this.run("step", this.#input.contextAt(step + 1, epoch));
  }

  state(): { readonly evaluation: EvaluationState } {
    return { evaluation: { latest: { ...this.#latest }, lastStep: Object.fromEntries(this.#lastStep) } };
  }

  restore({ evaluation }: Pick<RunState, "evaluation">): void {
    Object.assign(this.#latest, evaluation.latest);
    for (const [key, step] of Object.entries(evaluation.lastStep)) this.#lastStep.set(key, step);
  }

  summary(): { readonly evaluations: Evaluation["latest"] } {
    return { evaluations: this.#latest };
  }

  #measurements(): readonly Measurement[] {
    const { sources, evaluators, training, session } = this.#input;
    const losses = Object.entries(sources).map(([name, source]): Measurement => ({
      key: `loss/${name}`,
      name,
      everySteps: training.evaluateEverySteps,
      atStart: true,
      evaluate: () => this.#loss(name, source),
    }));
    const others = evaluators.map((evaluator): Measurement => ({
      key: `evaluator/${evaluator.name}`,
      name: evaluator.name,
      everySteps: evaluator.everySteps ?? training.evaluateEverySteps,
      atStart: evaluator.atStart ?? true,
      evaluate: (context) => evaluator.evaluate(session, context),
    }));
    return [...losses, ...others];
  }

  /** What rank 0 measured; undefined where a rank was told to stop and left off, so that all do. */
  async #agreed(metrics: Metrics | undefined): Promise<Metrics | undefined> {
    const { ensemble, stop } = this.#input;
    if (ensemble.size === 1) return metrics;
    const ranks = await ensemble.gather({ metrics: metrics ?? null, stop: stop.own ?? null });
    stop.hear(ranks.map((rank) => rank.stop));
    return ranks.some((rank) => rank.metrics === null) ? undefined : ranks[0]!.metrics!;
  }

  /**
   * Mean loss over a source's supervised tokens, of which each rank reads a part; undefined if the run was told to stop
   * meanwhile.
   */
  async #loss(name: string, source: BatchSource): Promise<Metrics | undefined> {
    const { session, seed, training, ensemble, stop } = this.#input;
    let lossSum = 0;
    let supervisedTokens = 0;
    let isStopped = false;
    const order = { epoch: 0, seed, microBatchSize: training.microBatchSize, shuffle: false };
    for await (const batch of rankBatches(source, order, ensemble)) {
      if (batch.batchSize === 0) continue;
      if ((isStopped = stop.own !== undefined)) break;
      const part = await session.loss(batch);
      lossSum += part.lossSum;
      supervisedTokens += part.supervisedTokenCount;
      await setImmediate();
    }
    const ranks = await ensemble.gather({ lossSum, supervisedTokens, isStopped });
    if (ranks.some((rank) => rank.isStopped)) return undefined;
    lossSum = ranks.reduce((sum, rank) => sum + rank.lossSum, 0);
    supervisedTokens = ranks.reduce((sum, rank) => sum + rank.supervisedTokens, 0);
    if (supervisedTokens === 0) throw evaluationUnsupervised(name);
    const more = (this.#input.lossMetrics[name] ?? []).map((metric) => [
      metric.name,
      metric.score({ lossSum, supervisedTokens }).value,
    ]);
    return {
      loss: lossSum / supervisedTokens,
      supervisedTokens,
      ...(Object.fromEntries(more) as Readonly<Record<string, number>>),
    };
  }
}

interface Measurement {
  /** Of the step it was last made at: a source and an evaluator may share a name. */
  readonly key: string;
  readonly name: string;
  readonly everySteps: number | undefined;
  readonly atStart: boolean;
  readonly evaluate: (context: StepContext) => Promise<Readonly<Record<string, number>> | undefined>;
}

/** Of what was measured, that of which less is better; undefined where nobody says. */
function lowerOf(known: ReturnType<Measured["get"]>, metrics: Metrics): readonly string[] | undefined {
  return known === undefined ? undefined : Object.keys(metrics).filter((metric) => known[metric] === "lower");
}

function isDue(moment: EvaluationMoment, step: number, everySteps: number | undefined, atStart: boolean): boolean {
  if (moment === "end") return true;
  if (moment === "start") return atStart;
  return everySteps !== undefined && step % everySteps === 0;
}
