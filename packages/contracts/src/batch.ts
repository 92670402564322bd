import type { Tensor } from "@tensorflow/tfjs-core";

/** One item (an image) of a lazy batch input. */
export interface LazyItem {
  /** Hash of the item's bytes and of the processing: equal keys mean equal values. */
  readonly contentKey: string;
  /** Without the leading item dimension, e.g. `[3, 48, 48]`. */
  readonly shape: readonly number[];
  /** Decodes and preprocesses, off the main thread. `@throws THAW_DATA_*` naming file and sample. */
  load(): Promise<Float32Array>;
}

/** A micro-batch on the host: padded on the right for training. Core knows segments and keys, not images. */
export interface Batch {
  /** `[batch, tokens]` row-major. Image placeholders are already expanded. */
  readonly tokenIds: Int32Array;
  /** 1 on real tokens, 0 on padding. */
  readonly attentionMask: Int32Array;
  /** -100 on unsupervised tokens; not shifted. */
  readonly labels: Int32Array;
  readonly batchSize: number;
  readonly tokenCount: number;
  /** Lazy inputs by name, items in order of appearance, e.g. `pixelValues`. */
  readonly inputs: Readonly<Record<string, readonly LazyItem[]>>;
  /**
   * Segment name to a known output; set by a plugin in the `batch` hook. Core then skips that segment and its inputs'
   * `load()`. Core disposes these tensors after the micro-batch.
   */
  readonly segmentOutputs: Readonly<Record<string, Tensor>>;
  /** Free for evaluation and plugins: sample ids, captions. */
  readonly samples: readonly { readonly id: string; readonly reference?: string }[];
  /** What the forward pass may leave out; set by a plugin in the `batch` hook. Absent: all that it can. */
  readonly shortcuts?: RowSavings;
}

/**
 * Parts of a forward pass that the loss does not need; each is left out unless it is false here. Losses and gradients
 * are the same.
 */
export interface RowSavings {
  /** Rows of padding. */
  readonly padding?: boolean;
  /** Tokens behind a sample's last supervised one. */
  readonly tail?: boolean;
  /** Of the last layer, all but keys and values on rows without a supervised token. */
  readonly lastLayer?: boolean;
  /**
   * The vocabulary product on rows without a supervised token. With false `tail` and `lastLayer` have nothing to leave
   * out either.
   */
  readonly logits?: boolean;
  /**
   * Tokens before a sample's first image and its first supervised token: no gradient passes through them where the
   * language model is frozen, and equal ones are computed once.
   */
  readonly prefix?: boolean;
}

/**
 * A batch whose lazy inputs are loaded as float32 tensors `[items, ...item.shape]`; inputs of substituted segments are
 * absent.
 */
export interface LoadedBatch extends Omit<Batch, "inputs"> {
  readonly inputs: Readonly<Record<string, Tensor>>;
}

/**
 * An ordered, seeded source of samples. `data` owns order, collation and position; core iterates and stores the
 * position.
 */
export interface BatchSource {
  readonly name: string;
  /** NaN while it is not read: a stand-in that only plans. */
  readonly sampleCount: number;
  /** Fraction of samples without image, for the checker; undefined if unknown before reading. */
  readonly textOnlyShare?: number;
  /** Random augmentation kinds active on this source (`crop`, `flip`, `colour`, ...), for the checker. */
  readonly augmentations: readonly string[];
  /**
   * How many different pictures augmentation makes of an image, by turns epoch by epoch: content keys repeat after so
   * many epochs. Absent: ever new ones.
   */
  readonly views?: number;
  /**
   * Micro-batches of one epoch; the last may be smaller. `skip` starts after that many micro-batches (resume) without
   * decoding them.
   */
  batches(options: {
    readonly epoch: number;
    readonly seed: number;
    readonly microBatchSize: number;
    readonly shuffle: boolean;
    readonly skip?: number;
  }): AsyncIterable<Batch>;
  /** Stops workers, closes files. */
  close(): Promise<void>;
}

export const IGNORE_INDEX = -100;
