import type { LoadedBatch, Scope, Segment } from "@thaw/contracts";
import type { Value } from "@thaw/autograd";
import type { ParameterSpec } from "../contract/family.js";

/** Name of the batch input that image towers read: `[images, channels, height, width]`, float32, normalised. */
export const PIXEL_VALUES = "pixelValues";
/** Segment of the whole tower. Its output, `[images, patches, visionHidden]`, is what a feature cache stores. */
export const VISION_SEGMENT = "vision_tower";

/** A vision tower with its sizes known. */
export interface VisionTower {
  readonly parameters: readonly ParameterSpec[];
  /** The tower's own segment first, then those inside it, in data-flow order. */
  readonly segments: readonly Segment[];
  readonly deadParameters: readonly string[];
  /** Tokens that one image gives. */
  readonly patchCount: number;
  readonly outputSize: number;
  /**
   * Runs the segment `vision_tower`: `[images, patches, outputSize]`. Pixels are read only if core does not substitute
   * the output.
   * @throws THAW_MODEL_INPUT_MISSING, THAW_MODEL_INPUT_SHAPE
   */
  run(batch: LoadedBatch, scope: Scope): Value;
}

/** True if the batch gives images, or features known in their place. */
export function hasImages(batch: LoadedBatch): boolean {
  return batch.inputs[PIXEL_VALUES] !== undefined || batch.segmentOutputs[VISION_SEGMENT] !== undefined;
}
