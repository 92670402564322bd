import type { Provided } from "./provides.js";
import type { SampleChoices } from "./sample.js";

/** Which values of a metric are better. */
export type Direction = "higher" | "lower";

/** An answer of the model, and the answers that count as right: at least one. */
export interface ScoredAnswer {
  readonly answer: string;
  readonly references: readonly string[];
  /** Of a question that is answered by choosing. */
  readonly choices?: SampleChoices;
}

/** A choice as the model judges it. */
export interface JudgedChoice {
  readonly text: string;
  /** Natural logarithm of the probability of its tokens after the question, summed. */
  readonly logLikelihood: number;
  readonly tokenCount: number;
}

/** The choices of one sample; `right` is the number of the right one, from 0. */
export interface ScoredChoices {
  readonly choices: readonly JudgedChoice[];
  readonly right: number;
}

/** Cross entropy over a set: summed, in nats, and the supervised tokens to divide by. */
export interface ScoredLoss {
  readonly lossSum: number;
  readonly supervisedTokens: number;
}

/** What a metric says of a set. */
export interface Score {
  readonly value: number;
  /** Of each sample, in order, where the value is made of such. */
  readonly each?: readonly number[];
}

/** A measure of a whole set, of what it reads: losses, the answers that a model writes, or how it judges choices. */
export type Metric =
  | { readonly reads: "loss"; score(loss: ScoredLoss): Score }
  | { readonly reads: "answers"; score(answers: readonly ScoredAnswer[]): Score }
  | { readonly reads: "choices"; score(choices: readonly ScoredChoices[]): Score };

/**
 * A metric that a plugin provides: a config names it in `data.metrics` by its type. Its schema is without what every
 * metric may have (`name`).
 */
export interface MetricFactory<Options = unknown> extends Provided<Options> {
  readonly better: Direction;
  make(options: Options): Metric;
}

declare module "./provides.js" {
  interface Provides {
    /** Measures of evaluation sets. */
    readonly metrics?: readonly MetricFactory[];
  }
}
