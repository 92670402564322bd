import type { Value } from "@thaw/autograd";
import type { LoadedBatch, MediaItem, Scope, Segment } from "@thaw/contracts";
import type { ParameterSpec } from "./family.js";

/** Where a part stands in its model. */
export interface Place {
  /** Its component, `vision_tower`, after which its segments are named. */
  readonly component: string;
  /** Segments whose outputs it reads. */
  readonly after: readonly string[];
}

/** Where a tower stands. */
export interface TowerPlace extends Place {
  /** Kind of the items that go through it, where all are of one; see `Segment.modality`. */
  readonly modality?: string;
}

/** Where a connector stands. */
export interface ConnectorPlace extends Place {
  /** Columns of what it reads. */
  readonly inputSize: number;
}

/** A part of a model with its sizes known. */
export interface Part {
  /** Buffers too. */
  readonly parameters: readonly ParameterSpec[];
  /**
   * The part's own segment, which its component names, first; then those inside it, in data-flow order. A part that
   * makes other rows than it reads says by `outputRows` how many an item has.
   */
  readonly segments: readonly [Segment, ...Segment[]];
  /** Parameters without a path to the loss. Default: none. */
  readonly deadParameters?: readonly string[];
  /** Columns of its output: where there are several outputs, of all side by side. */
  readonly outputSize: number;
}

/** Makes features of items. */
export interface Tower extends Part {
  /**
   * Runs the tower's segment on the items that it reads, of which there is one at least: `[rows, outputSize]`, item
   * after item. Inputs are read only if core does not substitute the output.
   * @throws THAW_MODEL_INPUT_MISSING, THAW_MODEL_INPUT_SHAPE
   */
  run(batch: LoadedBatch, scope: Scope, items: readonly MediaItem[]): Value;
}

/** Brings features of towers, or of connectors before it, into the embedding space of the decoder. */
export interface Connector extends Part {
  /** Runs the connector's segment: `[rows, inputSize]` of the items, in order, to `[other rows, outputSize]`. */
  run(features: Value, scope: Scope, items: readonly MediaItem[]): Value;
}
