import type { AttentionSpans, Value } from "@thaw/autograd";
import type { Tensor } from "@tensorflow/tfjs-core";
import type { RotaryOptions } from "../blocks/rope.js";

/** What layers of one kind have in common: what a row sees, how its position turns it, what later rows need of it. */
export interface LayerKind {
  /** Unique in its decoder: `full_attention`, `sliding_attention`, `conv`. */
  readonly name: string;
  /** Rows that a row sees, itself included: a sliding window, or the taps of a convolution. Absent: all before it. */
  readonly window?: number;
  /**
   * What becomes of rows that see one another both ways (see `Attending`): `cut` by the window, `whole` in spite of it,
   * `ignored`: these layers are causal. Default: `cut`.
   */
  readonly bothWays?: "cut" | "whole" | "ignored";
  /** Absent: positions turn nothing. */
  readonly rotary?: RotaryOptions;
  /** Tensors that a layer hands to {@link LayerPass.remember}: 2 for keys and values, 1 for a convolution's inputs. */
  readonly remembers: number;
  /** True if a layer carries a state from row to row: what it makes of a row needs that of the row before it. */
  readonly isRecurrent?: boolean;
}

/** Rotary positions: one line per row, or one per position where all samples have the same; `[lines, size]` each. */
export interface RotaryLines {
  readonly cos: Tensor;
  readonly sin: Tensor;
  /** The same for queries, where these become longer with their positions. Absent: the same lines turn them. */
  readonly queries?: { readonly cos: Tensor; readonly sin: Tensor };
}

/** What a layer of one kind needs beside its input `[rows, hidden]`. */
export interface LayerPass {
  readonly rotary?: RotaryLines;
  /** Which of the rows that are seen each row attends to. */
  readonly spans: AttentionSpans;
  /** Stretch `s` of the input has the rows `offsets[s]` to `offsets[s + 1]`; no stretch looks into another one. */
  readonly offsets: Int32Array;
  /**
   * The same for what {@link remember} gives back; each stretch ends with its own rows. `offsets` where nothing is
   * remembered.
   */
  readonly seenOffsets: Int32Array;
  /**
   * Hands over what a layer makes of its rows for later ones, each `[rows, width]`, and gets back that of all rows that
   * are seen, `[seen rows, width]`. Layers that share such tensors ask with the number of the layer that made them:
   * what it handed over first is what all get. Absent: the rows see nothing but themselves.
   */
  readonly remember?: (layer: number, made: readonly Value[]) => readonly Value[];
  /** Where recurrent layers find and leave their states. Absent: they start from nothing and nobody goes on. */
  readonly state?: LayerState;
}

/** States of recurrent layers between passes: of each stretch, in order. */
export interface LayerState {
  /** What an earlier pass left; borrowed. Undefined in the first one. */
  recall(layer: number): Value | undefined;
  /** Leaves a state for the next pass, which makes a copy of it. */
  keep(layer: number, state: Value): void;
}

/** What the layers of a decoder need beside their inputs. */
export interface DecoderPass {
  /** For layers of the named kind. */
  of(kind: string): LayerPass;
}
