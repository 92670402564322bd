import type { Batch, BatchSource, SampleSet } from "@thaw/contracts";
import type { Processor } from "../media/processor.js";

/** A batch of prompts to be answered; `indices[row]` is the sample's number in `DataSource.samples`. */
export interface PromptBatch extends Batch {
  readonly indices: readonly number[];
}

/** A batch of choices to be judged: of each row the sample's number in `DataSource.samples`, and which choice. */
export interface ChoiceBatch extends Batch {
  readonly indices: readonly number[];
  readonly choices: readonly number[];
}

/** What was looked at before the first step. */
export interface LookedAt {
  readonly samples: number;
  readonly images: number;
  /** Different images of the set, or about as many where it is too large to count them. */
  readonly imageCount: number;
}

/** What `openSource` returns: a `BatchSource` for core, and more for captioning, evaluation and reports. */
export interface DataSource extends BatchSource {
  readonly processor: Processor;
  /** In the order of the data set. */
  readonly samples: SampleSet;
  /** Concept names of the whole set, also of those that `concepts` left out; empty where the set names none. */
  knownConcepts(): Promise<ReadonlySet<string>>;
  /**
   * Of each sample that was looked at, a hash of its items' bytes (size, beginning, end), or of its conversation where
   * it has none: equal ones show the same.
   */
  readonly contents: readonly string[];
  /**
   * Share of the tokens of the first epoch that is padding, with samples grouped by length and without; undefined where
   * they are not grouped.
   */
  padding(microBatchSize: number, seed: number): { readonly grouped: number; readonly plain: number } | undefined;
  /** Samples that were left out so far since they cannot be used, and why; none unless the source skips them. */
  skipped(): readonly { readonly origin: string; readonly error: unknown }[];
  /** How much was looked at when the source was opened: all, unless the set is too large for that. */
  readonly lookedAt?: LookedAt;
  /** Prompts without their answers, in order; labels are all -100. `indices` picks samples (default: all). */
  prompts(options: {
    readonly microBatchSize: number;
    readonly indices?: readonly number[];
  }): AsyncIterable<PromptBatch>;
  /**
   * Each choice of the samples that have some as their last answer, a row each, in order; only that answer's own text
   * is labelled, and nothing behind it. `indices` picks samples (default: all).
   */
  choices(options: {
    readonly microBatchSize: number;
    readonly indices?: readonly number[];
  }): AsyncIterable<ChoiceBatch>;
  /** Processed values of the sample's first image, `[patches, values]` float32; not augmented. */
  pixels(index: number): Promise<{ readonly values: Float32Array; readonly shape: readonly number[] }>;
}

/** What a data set needs to know of the run. */
export interface SourceContext {
  readonly processor: Processor;
  /** Relative paths and packages resolve from here: the config file's folder. */
  readonly baseFolder: string;
  /** `train` leaves unseen concepts out unless the options say otherwise. */
  readonly role: "train" | "evaluation";
  /** Name for logs and metrics. */
  readonly name?: string;
  /**
   * Most tokens of one sample, image tokens included; a longer one is an error, as is one beyond the processor's
   * `maxPositions`.
   */
  readonly maxLength?: number;
  /**
   * What becomes of a longer sample: an error, or its first tokens, where no item is cut and something to learn is
   * left. Default `fail`.
   */
  readonly tooLong?: "fail" | "truncate";
  /** Look at all samples and items, however long that takes and however large the set is. */
  readonly looksAtAll?: boolean;
  /** Samples of about the same length share a micro-batch, where the order is shuffled. */
  readonly groupByLength?: boolean;
  /**
   * Decode workers; default min(2, cores - 1), at least 1. 0 decodes on the calling thread. All sources share one pool.
   */
  readonly workers?: number;
}
