// Generated from the schemas by `node scripts/docs.mjs`; edit the descriptions there.

import type { MixedSource, SourceOptions } from "@thaw/data";
import type { EvaluationSetOptions } from "./evaluation-set.js";
import type { MetricOptions } from "@thaw/plugin-captions";

/** What is trained on and what is measured. */
export interface DataSectionOptions {
  /** What is trained on: one data set, or a list of several. */
  train?: SourceOptions | MixedSource[] | undefined;
  /**
   * How several sets are put together: all shuffled into one, or by turns, each as often as its share. Default:
   * interleave where they have weights, else concatenate.
   */
  mix?: "concatenate" | "interleave" | undefined;
  /** Hold a part of the training set out, and evaluate on it under the name held-out. */
  split?: SplitOptions | undefined;
  /**
   * What a sample that cannot be used does: end the run, or be left out, with another one in its place and its name in
   * the summary. Default: fail.
   */
  onError?: "fail" | "skip" | undefined;
  /** What becomes of a sample longer than training.max_length: an error, or its first tokens. Default: fail. */
  tooLong?: "fail" | "truncate" | undefined;
  /** Let samples of about the same length share a micro-batch, so that less is padded. Default: false. */
  groupByLength?: boolean | undefined;
  /**
   * One data set, or several by name. Of a conversation the last answer is written and scored; the baseline of the
   * nearest neighbour compares first images by their pixels.
   */
  evaluation?: EvaluationSetOptions | Record<string, EvaluationSetOptions> | undefined;
  /**
   * What is measured on the evaluation sets beside their loss: names, or mappings with options. Default: token_f1 and
   * exact_match of the words as they are.
   */
  metrics?: MetricOptions[] | undefined;
  /** Let the model answer the evaluation sets and score its answers; false measures their loss alone. Default: true. */
  captions?: boolean | undefined;
  /** Longest answer that an evaluation lets the model write. Default: 24. */
  maxNewTokens?: number | undefined;
  /** Samples that an evaluation answers at once. Default: 32. */
  evaluationBatchSize?: number | undefined;
  /** Threads that decode images; 0 decodes on the main thread. Default: one or two, by the number of cores. */
  workers?: number | undefined;
}

/** Hold a part of the training set out, and evaluate on it under the name held-out. */
export interface SplitOptions {
  /** Share that is held out. */
  fraction: number;
  /** Another seed holds out another part. Default: 0. */
  seed?: number | undefined;
  /** What stays together: samples of the same picture or sound, samples of one concept, or nothing. Default: item. */
  by?: "item" | "concept" | "sample" | undefined;
}
