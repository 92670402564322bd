import { rowOffsets, type Rows } from "@thaw/core";
import { tensor } from "@tensorflow/tfjs-core";
import type { Feature } from "./feature.js";

/** Items' features, of any number of rows each, as rows on the device, which the caller owns; of one width. */
export function joinFeatures(features: readonly Feature[]): Rows {
  const offsets = rowOffsets(features.map(({ shape }) => shape[0]!));
  const width = features[0]!.shape[1]!;
  const values = new Float32Array(offsets.at(-1)! * width);
  features.forEach((feature, index) => values.set(feature.values, offsets[index]! * width));
  return { tensor: tensor(values, [offsets.at(-1)!, width], "float32"), offsets };
}

/** A segment's rows item by item, on the host; frees the tensor. */
export async function splitRows({ tensor: rows, offsets }: Rows): Promise<Feature[]> {
  try {
    const values = await rows.data<"float32">();
    const width = rows.shape[1]!;
    return Array.from({ length: offsets.length - 1 }, (_, index) => {
      const [first, end] = [offsets[index]!, offsets[index + 1]!];
      return { shape: [end - first, width], values: values.slice(first * width, end * width) };
    });
  } finally {
    rows.dispose();
  }
}
