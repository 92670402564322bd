import type { Tensor } from "@tensorflow/tfjs-core";

/** One image, clip or sound of a batch. All but its values is known without decoding. */
export interface MediaItem {
  /** `image`, `audio`, ...: data that a segment's `modality` is compared with. */
  readonly modality: string;
  /** Hash of the item's bytes and of the processing: equal keys mean equal values. */
  readonly contentKey: string;
  /** Row of the batch that it belongs to. */
  readonly sample: number;
  /** Columns of its placeholders in that row, ascending: one for each row of features that the text reads. */
  readonly columns: Int32Array;
  /** What is known on the host: grid, tiles, frames, original size, token types. */
  readonly facts: Readonly<Record<string, readonly number[]>>;
  /** Sizes of what the model reads, by name of the input: `{ pixelValues: { rows: 576, width: 588 } }`. */
  readonly inputs: Readonly<Record<string, RowSize>>;
  /**
   * Decodes and preprocesses, off the main thread: float32 `[rows, width]`, row-major, by name of the input. `@throws
   * THAW_DATA_*` naming file and sample.
   */
  load(): Promise<Readonly<Record<string, Float32Array>>>;
}

/** Size of one input of an item: `[rows, width]`. Rows may differ from item to item, the width may not. */
export interface RowSize {
  readonly rows: number;
  readonly width: number;
}

/**
 * Rows of several items, one item's after the other's. Several outputs of one segment lie side by side in the width, as
 * `Segment.outputs` declares them.
 */
export interface Rows {
  /** `[rows, width]`, float32. */
  readonly tensor: Tensor;
  /** Item i has the rows `offsets[i]` to `offsets[i + 1]`. */
  readonly offsets: Int32Array;
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
  /** Images, clips and sounds, in order of appearance. */
  readonly media: readonly MediaItem[];
  /**
   * Segment name to its known output for the items that it reads, in their order; set by a plugin in the `batch` hook.
   * Core then skips that segment, and `load()` of items that nobody else reads. Core disposes these tensors after the
   * micro-batch.
   */
  readonly segmentOutputs: Readonly<Record<string, Rows>>;
  /** Free for evaluation and plugins: sample ids, captions. */
  readonly samples: readonly { readonly id: string; readonly reference?: string }[];
  /** What the forward pass may leave out; set by a plugin in the `batch` hook. Absent: all that it can. */
  readonly savings?: RowSavings;
}

/**
 * Parts of a forward pass that the loss does not need; each may be left out unless it is false here. Losses and
 * gradients are the same either way, so a model leaves out what it can and no more: one that is not a causal decoder or
 * of which later tokens see earlier ones' states otherwise, computes whatever its rows depend on, and one that leaves
 * out nothing may ignore all of this.
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
   * Tokens before a sample's first item and its first supervised token: no gradient passes through them where the
   * language model is frozen, and equal ones are computed once.
   */
  readonly prefix?: boolean;
}

/**
 * A batch whose items are loaded: by name of an input, the rows of all items that have it, in the order of `media`.
 * Inputs that substituted segments alone read are absent.
 */
export interface LoadedBatch extends Batch {
  readonly inputs: Readonly<Record<string, Rows>>;
}

/**
 * An ordered, seeded source of samples. `data` owns order, collation and position; core iterates and stores the
 * position.
 */
export interface BatchSource {
  readonly name: string;
  /** NaN while it is not read: a stand-in that only plans. */
  readonly sampleCount: number;
  /**
   * What the batches are made of, as hashes by what they are of (`sample train.jsonl:3`, `the tokenizer`): a resumed
   * run compares them and names what differs. Absent: unknown.
   */
  readonly identity?: Readonly<Record<string, string>>;
  /** Fraction of samples without an item, for the checker; undefined if unknown before reading. */
  readonly textOnlyShare?: number;
  /** Kinds of random changes of items that are active on this source (`crop`, `noise`, ...), for the checker. */
  readonly augmentations: readonly string[];
  /**
   * How many different variants augmentation makes of an item, by turns epoch by epoch: content keys repeat after so
   * many epochs. Absent: ever new ones.
   */
  readonly views?: number;
  /** True where `batches` obeys `shard`. Absent: core takes a process's part out of all micro-batches itself. */
  readonly shards?: boolean;
  /**
   * Micro-batches of one epoch; the last may be smaller. `skip` starts after that many micro-batches (resume) without
   * decoding them. `shard`: the part of one of several processes, of the same order: micro-batches `index`,
   * `index + count`, ...; all parts have equally many, the last one of some is without samples, and `skip` counts those
   * of a part.
   */
  batches(options: {
    readonly epoch: number;
    readonly seed: number;
    readonly microBatchSize: number;
    readonly shuffle: boolean;
    readonly skip?: number;
    readonly shard?: { readonly index: number; readonly count: number };
  }): AsyncIterable<Batch>;
  /** Stops workers, closes files. */
  close(): Promise<void>;
}

export const IGNORE_INDEX = -100;
