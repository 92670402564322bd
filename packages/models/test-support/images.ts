import { rowOffsets } from "@thaw/contracts";
import type { LoadedBatch, MediaItem, Rows } from "@thaw/contracts";
import { cutPatches } from "@thaw/data";
import { tensor } from "@tensorflow/tfjs-core";

/** Token that stands for a feature in the golden models. */
export const IMAGE = 332;
/** Side of their patches, in pixels. */
const PATCH = 7;

/** Pictures `[images, channels, height, width]` as rows of patches; the caller disposes the tensor. */
export function patchRows(values: Float32Array, shape: readonly number[]): Rows {
  const [images, channels, height, width] = shape as [number, number, number, number];
  const size = channels * height * width;
  const parts = Array.from({ length: images }, (_, image) =>
    cutPatches(values.subarray(image * size, (image + 1) * size), { channels, height, width }, PATCH),
  );
  const rowWidth = channels * PATCH ** 2;
  const joined = Float32Array.from(parts.flatMap((part) => [...part]));
  return {
    tensor: tensor(joined, [joined.length / rowWidth, rowWidth]),
    offsets: rowOffsets(parts.map(({ length }) => length / rowWidth)),
  };
}

/** The items of a batch: one a sample with placeholders, and as many without any as there are more images. */
export function mediaOf(
  { tokenIds, batchSize, tokenCount }: Pick<LoadedBatch, "tokenIds" | "batchSize" | "tokenCount">,
  images: Rows | undefined,
): MediaItem[] {
  const places = Array.from({ length: batchSize }, (_, sample) => ({
    sample,
    columns: Int32Array.from(
      [...tokenIds.subarray(sample * tokenCount, (sample + 1) * tokenCount).entries()].flatMap(([column, id]) =>
        id === IMAGE ? [column] : [],
      ),
    ),
  })).filter(({ columns }) => columns.length > 0);
  const count = images === undefined ? 0 : images.offsets.length - 1;
  while (places.length < count) places.push({ sample: 0, columns: new Int32Array(0) });
  return places.map((place, index) => ({
    ...place,
    modality: "image",
    contentKey: `image ${index}`,
    facts: {},
    inputs: { pixelValues: { rows: 16, width: 3 * PATCH ** 2 } },
    load: () => Promise.reject(new Error("The batch is loaded.")),
  }));
}
