import type { Batch, GenerationOptions, MediaItem, Model, Plan, Rows } from "@thaw/contracts";
import type { Backend, PlannedContext } from "./contexts.js";

/** Cross entropy of a batch: summed, with the number of supervised tokens to divide by. */
export interface BatchLoss {
  readonly lossSum: number;
  readonly supervisedTokenCount: number;
}

/**
 * A model with its weights in memory under a plan, without training: what evaluation, captioning and evaluators use.
 * During a run it reads the run's live weights. Every call passes the batch through the `batch` hook, so caches work
 * here too.
 */
export interface Session {
  readonly model: Model;
  readonly plan: Plan;
  readonly planned: PlannedContext;
  readonly backend: Backend;
  /** No gradient, no label smoothing, inference mode. @throws THAW_CORE_EVALUATION_NOT_FINITE with its samples */
  loss(batch: Batch): Promise<BatchLoss>;
  /**
   * The same of each row, in one pass, in the order of the rows that taps of `batch` leave; of a row without a
   * supervised token both are 0.
   */
  losses(batch: Batch): Promise<readonly BatchLoss[]>;
  /**
   * New token ids per row, without the end token: the most likely ones, or drawn ones. Prompts may be padded on either
   * side.
   */
  generate(batch: Batch, options: GenerationOptions): Promise<number[][]>;
  /**
   * Runs one segment that reads items, alone, unrecorded: the rows that it makes of those of the given ones that it
   * reads; the caller disposes the tensor.
   * @throws THAW_CORE_SEGMENT_HAS_NO_OUTPUT, THAW_CORE_SEGMENT_ROWS, THAW_CORE_SEGMENT_COLUMNS,
   * THAW_CORE_INPUT_MISSHAPED
   */
  runSegment(segment: string, media: readonly MediaItem[]): Promise<Rows>;
  /** Current values of a parameter, float32, row-major. @throws THAW_CORE_PARAMETER_UNKNOWN */
  readParameter(name: string): Promise<Float32Array>;
  /**
   * Replaces parameters by those of a safetensors file (a run's `final/trained.safetensors`) and returns their names:
   * all or, where the file is damaged or does not fit, none.
   * @throws THAW_CORE_PARAMETERS_UNFIT, THAW_CORE_SESSION_READ_ONLY during a run, THAW_SAFETENSORS_*
   */
  loadParameters(file: string): Promise<readonly string[]>;
  /**
   * Writes a complete checkpoint with the current values, as the `exported` hook leaves them: it loads without any
   * plugin.
   * @throws THAW_CHECKPOINT_EXISTS and what else the model's `save` throws
   */
  save(folder: string, options?: { readonly dtype?: "F32" | "BF16"; readonly overwrite?: boolean }): Promise<void>;
  /** Frees the weights and runs the `shutdown` hook. A session that belongs to a run ignores it. */
  close(): Promise<void>;
}
