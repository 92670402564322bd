import { augment, IMAGE_SIZE } from "./augment.js";
import { mixSeeds, mulberry32 } from "@thaw/data";
import { rasterOf, type Rasters } from "./rasters.js";

/** Floats of one picture, `[3, 48, 48]`. */
export const VIEW_LENGTH = 3 * IMAGE_SIZE * IMAGE_SIZE;

/** One batch of random views to make. */
export interface ViewsJob {
  /** Picture and seed of each view. */
  readonly views: readonly { readonly picture: number; readonly seed: number; readonly mirror: boolean }[];
  /** 0 to 1. */
  readonly strength: number;
}

/** Makes the views of a batch: `[views, 3, 48, 48]`, normalised. The same job gives the same bytes on any thread. */
export function makeViews(rasters: Pick<Rasters, "size" | "bytes">, job: ViewsJob): Float32Array<ArrayBuffer> {
  const output = new Float32Array(job.views.length * VIEW_LENGTH);
  for (const [index, { picture, seed, mirror }] of job.views.entries()) {
    const random = mulberry32(mixSeeds(seed, picture));
    augment(rasterOf(rasters, picture), {
      strength: job.strength,
      mirror,
      random,
      output: output.subarray(index * VIEW_LENGTH, (index + 1) * VIEW_LENGTH),
    });
  }
  return output;
}
