import type { LoadedBatch, MediaItem, Scope, Segment } from "@thaw/contracts";
import type { Value } from "@thaw/autograd";
import type { ParameterSpec } from "../contract/family.js";

/** Kind of the items that image towers read. */
export const IMAGE = "image";
/** Name of the input that image towers read: a patch a row, `[patches, channels * patch * patch]`, normalised. */
export const PIXEL_VALUES = "pixelValues";
/** Segment of the whole tower. Its output, `[features of all images, visionHidden]`, is what a feature cache stores. */
export const VISION_SEGMENT = "vision_tower";

/** A vision tower with its sizes known. */
export interface VisionTower {
  readonly parameters: readonly ParameterSpec[];
  /** The tower's own segment first, then those inside it, in data-flow order. */
  readonly segments: readonly Segment[];
  readonly deadParameters: readonly string[];
  readonly outputSize: number;
  /**
   * Runs the segment `vision_tower`: `[rows, outputSize]`, image after image. Pixels are read only if core does not
   * substitute the output.
   * @throws THAW_MODEL_INPUT_MISSING, THAW_MODEL_INPUT_SHAPE
   */
  run(batch: LoadedBatch, scope: Scope): Value;
}

/** The images of a batch, in order. */
export function imagesOf(batch: Pick<LoadedBatch, "media">): readonly MediaItem[] {
  return batch.media.filter(({ modality }) => modality === IMAGE);
}
