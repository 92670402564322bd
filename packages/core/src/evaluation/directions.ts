import { toCamelCase, type Direction } from "@thaw/contracts";
import type { RunOptions } from "../api/run-options.js";
import type { ResolvedTrainingOptions } from "../api/options.js";

/** Of each evaluation, by name: what it measures, and which way that is better; undefined where it does not say. */
export type Measured = ReadonlyMap<string, Readonly<Record<string, Direction>> | undefined>;

/** What a run's evaluations measure. */
export function measuredBy({ data, evaluators = [] }: Pick<RunOptions, "data" | "evaluators">): Measured {
  const measured = new Map<string, Readonly<Record<string, Direction>> | undefined>();
  for (const name of Object.keys(data?.evaluation ?? {})) {
    const more = (data?.lossMetrics?.[name] ?? []).map((metric) => [metric.name, metric.better] as const);
    measured.set(name, { loss: "lower", supervisedTokens: "higher", ...Object.fromEntries(more) });
  }
  for (const { name, better } of evaluators) {
    const known = measured.has(name) ? measured.get(name) : {};
    measured.set(name, known === undefined || better === undefined ? undefined : { ...known, ...better });
  }
  return measured;
}

/** A metric that a run looks at: of one evaluation, or of the first that measures it. */
export interface WatchedOptions {
  readonly evaluation?: string | undefined;
  /** As users write it: `token_f1` is `tokenF1`. */
  readonly metric: string;
}

/** What `training.keep.best` says, written out; undefined where no best checkpoint is asked for. */
export function bestOf({ keep }: Pick<ResolvedTrainingOptions, "keep">): WatchedOptions | undefined {
  const best = typeof keep === "object" ? keep.best : undefined;
  return typeof best === "string" ? { metric: best } : best;
}

/** The last value of a metric that is better than all before it. */
export class WatchedMetric {
  readonly metric: string;
  readonly #measured: Measured;
  #evaluation: string | undefined;
  #best: number | undefined;

  constructor({ evaluation, metric }: WatchedOptions, measured: Measured) {
    this.metric = toCamelCase(metric);
    this.#evaluation = evaluation;
    this.#measured = measured;
  }

  get evaluation(): string | undefined {
    return this.#evaluation;
  }

  get best(): number | undefined {
    return this.#best;
  }

  /** Takes back what a checkpoint keeps. */
  restore({
    evaluation,
    best,
  }: {
    readonly evaluation?: string | undefined;
    readonly best?: number | undefined;
  }): void {
    this.#evaluation = evaluation;
    this.#best = best;
  }

  /** The value, where this evaluation is the one that is looked at, and whether it is the best so far. */
  observe(
    name: string,
    metrics: Readonly<Record<string, number>>,
  ): { readonly value: number; readonly isBetter: boolean } | undefined {
    const value = metrics[this.metric];
    if (value === undefined) return undefined;
    this.#evaluation ??= name;
    if (this.#evaluation !== name) return undefined;
    const isLower = this.#measured.get(name)?.[this.metric] === "lower";
    const isBetter = this.#best === undefined || (isLower ? value < this.#best : value > this.#best);
    if (isBetter) this.#best = value;
    return { value, isBetter };
  }
}
