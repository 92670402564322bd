import type { NamedColumns, QuantizedLayout, QuantizedValues, Value } from "@thaw/autograd";
import type { Tensor } from "@tensorflow/tfjs-core";
import type { LoadedBatch, MediaItem } from "./batch.js";
import type { FindOwners } from "./rows/row-owners.js";

/** A named tensor of a checkpoint, known from its header alone. */
export interface StoredTensor {
  /** Hugging Face checkpoint name, e.g. `multi_modal_projector.linear_1.weight`. */
  readonly name: string;
  readonly shape: readonly number[];
  /** As stored: `F32`, `BF16`, `F16`; `INT8`, `NF4` or `FP4` of what is {@link ParameterInfo.quantized}. */
  readonly dtype: string;
}

/** A tensor that the loss may depend on and that a plan freezes or trains. */
export interface ParameterInfo extends StoredTensor {
  /** Other checkpoint names that are this same parameter (tied weights that a file stores or a config declares). */
  readonly tiedNames?: readonly string[];
  /** Owner, where no prefix of a component says it (a parameter that a plugin adds in the `parameters` hook). */
  readonly component?: string;
  /**
   * Makes the first values instead of the checkpoint: of a parameter that no checkpoint holds, or that a plugin starts
   * from elsewhere.
   */
  readonly initialize?: Initializer;
  /**
   * True for the weight `[out, in]` of a layer that `forward` computes by `Scope.linear` alone, so that wrapping that
   * changes the layer everywhere.
   */
  readonly isLinear?: boolean;
  /** How the checkpoint stores it, where that is in 4 or 8 bits. Such a parameter cannot train. */
  readonly quantized?: QuantizedLayout;
}

/** Values as a model gives them. */
export interface LoadedValues {
  readonly name: string;
  /** Float32, row-major; of what is `quantized` made when they are asked for. */
  readonly values: Float32Array;
  /** As the checkpoint stores them, where that is in 4 or 8 bits. */
  readonly quantized?: QuantizedValues;
  /** That holds them, for messages. */
  readonly file?: string;
}

/** A part of the model that is frozen or trained as one, owning parameters by name prefix (whole dot-segments). */
export interface ComponentDeclaration {
  /** `vision_tower`, `multi_modal_projector`, `language_model`, `audio_tower`, ... */
  readonly name: string;
  /** Longest prefix wins; a prefix matches whole dot-segments only. */
  readonly prefixes: readonly string[];
}

/**
 * A stretch of the forward pass, in data-flow order. Core classifies it from the plan: `prefix` (nothing at or before
 * it trains), `through` (frozen, something before it trains), `trained`.
 */
export interface Segment {
  /**
   * Dotted; a segment contains those whose name starts with `name + "."`. E.g. `vision_tower`, `vision_tower.layers.0`.
   */
  readonly name: string;
  /** Names of segments whose outputs it reads. */
  readonly after: readonly string[];
  /** Names of the items' inputs that it reads, e.g. `pixelValues`. */
  readonly reads: readonly string[];
  /** Kind of the items that it reads; absent: of all that have these inputs. */
  readonly modality?: string;
  /**
   * Rows that its output has for one item; core holds the segment to it. Absent: as many as the item has in the first
   * input that it reads.
   */
  outputRows?(item: MediaItem): number;
  /**
   * Where the segment gives several outputs (features of several layers, each for another layer of the decoder): their
   * names and widths. Its one output is all of them side by side, `[rows, sum of widths]`, by `joinColumns`; who reads
   * it takes it apart by `splitColumns`. Core holds the segment, and what stands for its output, to these widths.
   * Absent: one output of any width.
   */
  readonly outputs?: readonly NamedColumns[];
  /** Checkpoint names of the parameters and buffers it uses (a containing segment lists all of those inside it). */
  readonly parameters: readonly string[];
  /**
   * What decides the segment's output besides its inputs and parameters, as text: feature layer, select strategy,
   * activation, ... With the parameters' fingerprint and `outputs` it is the key under which runs share outputs.
   * Absent: the model's source stands for it.
   */
  readonly signature?: string;
}

/** How a forward pass reaches weights and how core decides what to record. Given by core, used by models. */
export interface Scope {
  /** The parameter or buffer as a value; it needs a gradient if and only if the plan trains it now. */
  parameter(name: string): Value;
  hasParameter(name: string): boolean;
  /**
   * `x [..., in]` times `${name}.weight [out, in]` transposed, plus `${name}.bias [out]` where it exists. Adapters wrap
   * this.
   */
  linear(x: Value, name: string): Value;
  /** Runs a block; core records it, does not record it, checkpoints it or substitutes its known output. */
  segment(name: string, inputs: readonly Value[], run: (...inputs: Value[]) => Value): Value;
  /** A tensor as a value without gradient; borrowed, the caller keeps ownership. */
  constant(tensor: Tensor): Value;
  /** The same, but the scope takes ownership and frees it with the micro-batch. */
  own(tensor: Tensor): Value;
  /**
   * A tensor that its key tells all about (a mask, a table of positions), made once for many passes. Borrowed. Absent:
   * {@link own} it.
   */
  shared?(key: string, make: () => Tensor): Tensor;
  /**
   * Tensors that a segment makes of what the key names and of its parameters alone: made once, unrecorded, and kept for
   * later passes while these parameters stay as they are. `make` hands its tensors over; what it got is borrowed until
   * backward is done. Undefined where a parameter of the segment trains now, absent where something may change what the
   * segment computes: then they are to be made the usual way.
   */
  kept?(segment: string, key: string, make: () => readonly Tensor[]): readonly Tensor[] | undefined;
  /**
   * Runs a stretch of a segment that depends on `key`, its inputs and the named parameters alone, which lets core
   * compute it as one: `run` asks the scope that it gets for parameters and linear layers. Sizes that change from batch
   * to batch follow a `#` in the key. Absent where something may change what the stretch computes: then it is to be
   * computed the usual way.
   */
  stretch?(
    key: string,
    inputs: readonly Value[],
    parameters: readonly string[],
    run: (scope: Scope, ...inputs: Value[]) => Value,
  ): Value;
  /** Runs layers of whose rows it is known whose they are: what is drawn for a sample is its own. Absent: runs them. */
  owned?<T>(owners: FindOwners, run: () => T): T;
  /**
   * True where rows that a pass could leave out cost less than shapes that no other pass has: samples of one batch then
   * have equally many rows if that adds few.
   */
  readonly prefersEvenRows?: boolean;
  /** True while training (dropout of trained segments on); frozen segments always run in inference mode. */
  readonly training: boolean;
}

/**
 * Rows of a pass, tokens of the padded batch, by the `RowSavings` that left them out. Every row is counted once among
 * `padding`, `tail` and `prefix`.
 */
export interface RowCounts {
  /** `batch * tokens`. */
  readonly rows: number;
  readonly padding: number;
  readonly tail: number;
  /** Rows that were not recorded, because nothing before them trains. */
  readonly prefix: number;
  /** Rows that had to be computed for these, unrecorded. */
  readonly prefixComputed: number;
  /** Rows of which the last layer made keys and values alone. */
  readonly lastLayer: number;
  /** Rows without vocabulary product. */
  readonly logits: number;
}

/** What a forward pass returns. */
export interface ModelOutput {
  /** Final hidden states after the last norm, `[batch, tokens, hidden]`. */
  readonly hidden: Value;
  /** Vocabulary product on the given rows of the flattened `[batch * tokens]` (all when null): `[rows, vocabulary]`. */
  logits(rows: Int32Array | null): Value;
  /**
   * Cross entropy summed over `rows` of the flattened `[batch * tokens]` against `targets` (same length): a scalar.
   * Fused with the vocabulary product, so that logits of other rows are never made. `labelSmoothing` as in PyTorch's
   * `cross_entropy`.
   */
  crossEntropy(rows: Int32Array, targets: Int32Array, options?: { readonly labelSmoothing?: number }): Value;
  /** What the loss was computed on; undefined before, and where the model does not count. */
  readonly rowCounts?: RowCounts | undefined;
}

/** How answers are written. */
export interface GenerationOptions {
  readonly maxNewTokens: number;
  /**
   * Logits of ids that are in the prompt or the answer already are divided by this, negative ones multiplied (Keskar et
   * al., arXiv:1909.05858). Default: 1.
   */
  readonly repetitionPenalty?: number;
  /** Draws tokens. Absent: the most likely one is taken (greedy search). */
  readonly sampling?: SamplingOptions;
  /** Told each new id of each row (counted in the batch) as soon as it is chosen; end tokens are not told. */
  readonly onToken?: (row: number, id: number) => void;
  /** Once it is aborted, no further token is computed: what is written by then is the answer. */
  readonly signal?: AbortSignal;
}

/** How tokens are drawn, in this order, as transformers' `generate` does. */
export interface SamplingOptions {
  /** Logits are divided by it; 0 takes the most likely one. Default: 1. */
  readonly temperature?: number;
  /** Draws among so many of the most likely ones. Default: all. */
  readonly topK?: number;
  /** Draws among the fewest whose probabilities add up to this (Holtzman et al., arXiv:1904.09751). Default: 1. */
  readonly topP?: number;
  /** Draws among those that are at least this times as likely as the most likely one. Default: 0. */
  readonly minP?: number;
  /** Answers are the same for the same seed. Default: 0. */
  readonly seed?: number;
}

/** The tokens of a text that stand for the features of one kind of item. */
export interface MediaTokens {
  /** Of the items, as {@link MediaItem.modality} says it. */
  readonly modality: string;
  /** The placeholder. */
  readonly tokenId: number;
  /** Others that an item's columns may hold, as features stand in for them too. Elsewhere they are words. */
  readonly otherIds?: readonly number[];
  /** How many of them an item has: one for each row of features that the text reads. */
  rows(item: MediaItem): number;
}

/** An opened checkpoint: names and shapes are known, no weight was read yet. */
export interface Model {
  readonly modelType: string;
  /** Folder or description for messages. */
  readonly source: string;
  /** `org/name` where it comes from a hub: how others find it. */
  readonly hubName?: string;
  /**
   * True where no checkpoint is there to look at: one stand-in parameter a component, so that settings can be judged
   * without names.
   */
  readonly isPlaceholder?: boolean;
  /** True where no forward pass is known for the type: plans and checks are made, and running it is an error. */
  readonly plansOnly?: boolean;
  readonly components: readonly ComponentDeclaration[];
  readonly parameters: readonly ParameterInfo[];
  /**
   * Tensors that the model computes with and never trains: bounds, statistics, fixed scales. They are loaded and saved
   * with the parameters, and no plan, optimizer or adapter knows them. Absent: none.
   */
  readonly buffers?: readonly StoredTensor[];
  readonly segments: readonly Segment[];
  /** Parameters that no path connects to the loss (CLIP's unused last layer, `post_layernorm`). */
  readonly deadParameters: readonly string[];
  /**
   * Prefixes of whole segments that transformers' modules spell otherwise, as pairs: the checkpoint's, the module's.
   * The longest one applies. Absent: modules are named as parameters are.
   */
  readonly moduleNames?: readonly (readonly [checkpoint: string, module: string])[];
  /** Special ids, and sizes that others need for estimates. */
  readonly text: {
    readonly vocabularySize: number;
    readonly hiddenSize: number;
    readonly maxPositions: number;
    readonly eosTokenIds: readonly number[];
    readonly padTokenId: number;
    /** Placeholders; core refuses batches in which they and the items' columns disagree. Absent: it does not look. */
    readonly mediaTokens?: readonly MediaTokens[];
    /**
     * Names of the matrices `[vocabulary, hidden]` that embed tokens and that make logits; equal where they are one.
     * Absent: unknown.
     */
    readonly embeddings?: { readonly input: string; readonly output: string };
  };
  /** Ids by token, as the checkpoint's tokenizer has them; undefined where it has none that can be read. */
  vocabulary?(): Promise<ReadonlyMap<string, number> | undefined>;
  /**
   * Reads values of parameters and buffers, in any order. `@throws THAW_CHECKPOINT_*` on a missing
   * or misshaped tensor.
   */
  load(names: readonly string[]): AsyncIterable<LoadedValues>;
  /**
   * Synchronous: all inputs are loaded. Segments that read items come first and touch only these, so that core can run
   * one alone (`runSegment`) on a batch without tokens. A batch without items runs none of them.
   */
  forward(batch: LoadedBatch, scope: Scope): ModelOutput;
  /** Decoding with a key/value cache; yields a macrotask per token. Returns new ids per row, without eos. */
  generate(batch: LoadedBatch, scope: Scope, options: GenerationOptions): Promise<number[][]>;
  /**
   * Writes a complete Hugging Face checkpoint folder (config, tokenizer and processor files copied) with these values
   * of all parameters and buffers.
   * A model that is there already is an error unless `overwrite`. A failure leaves nothing behind.
   */
  save(
    folder: string,
    values: (name: string) => Promise<Float32Array>,
    options?: { readonly dtype?: "F32" | "BF16"; readonly overwrite?: boolean },
  ): Promise<void>;
}

/**
 * Makes initial values for a parameter instead of reading them: float32, row-major. `random` is uniform in [0, 1) and a
 * function of seed and name.
 */
export type Initializer = (parameter: ParameterInfo, random: () => number) => Float32Array | Promise<Float32Array>;
